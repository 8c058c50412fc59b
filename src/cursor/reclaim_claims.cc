#include "cursor/reclaim_claims.h"

#include <algorithm>

namespace millrace {

ReclaimClaims::Claim ReclaimClaims::Hold(const PartitionKey& partition, Offset position) {
  {
    MutexLock lock(mutex_);
    // Looked up anew after each wait: an idle entry is dropped.
    while (standing_[partition].reclaiming.value_or(position) > position) reclaimed_.Wait(mutex_);
    standing_[partition].claimed.insert(position);
  }
  return {*this, partition, position};
}

void ReclaimClaims::Withdraw(const PartitionKey& partition, Offset position) {
  MutexLock lock(mutex_);
  auto& claimed = standing_[partition].claimed;
  claimed.erase(claimed.find(position));
  DropIfIdle(partition);
}

void ReclaimClaims::DropIfIdle(const PartitionKey& partition) {
  const auto found = standing_.find(partition);
  if (found->second.claimed.empty() && !found->second.reclaiming) standing_.erase(found);
}

Result<bool> ReclaimClaims::Reclaim(const PartitionKey& partition, const std::function<std::optional<Offset>()>& lowest,
                                    const std::function<Result<bool>(Offset until)>& forget) {
  Offset until;
  {
    MutexLock lock(mutex_);
    while (standing_[partition].reclaiming) reclaimed_.Wait(mutex_);
    Standing& standing = standing_[partition];
    const auto passed = lowest();
    if (!passed) {
      DropIfIdle(partition);
      return false;
    }
    until = *passed;
    if (!standing.claimed.empty()) until = std::min(until, *standing.claimed.begin());
    standing.reclaiming = until;
  }
  const auto forgot = forget(until);
  EndReclaim(partition);
  return forgot;
}

void ReclaimClaims::EndReclaim(const PartitionKey& partition) {
  MutexLock lock(mutex_);
  standing_[partition].reclaiming.reset();
  DropIfIdle(partition);
  reclaimed_.NotifyAll();
}

}  // namespace millrace
