#include "server/kafka/session_watches.h"

#include <utility>

namespace millrace {

std::shared_ptr<SessionWatches> SessionWatches::Make(PartitionAccess& log, TurnLoop& loop) {
  std::shared_ptr<SessionWatches> made(new SessionWatches);
  made->watches_ = std::make_unique<PartitionWatches>(log, [&loop, weak = made->weak_from_this()] {
    loop.Post([weak] {
      const auto self = weak.lock();
      if (self == nullptr || !self->woken_) return;
      const auto woken = self->woken_;  // it may end what it was called for
      woken();
    });
  });
  return made;
}

SessionWatches::Armed SessionWatches::Arm(SessionPartition& partition, Offset beyond) {
  if (partition.watch == 0) {
    partition.watch = watches_->Add(partition.handle);
    by_id_[partition.watch] = &partition;
  }
  const auto armed = watches_->Arm(partition.watch, beyond);
  // Any other error is told by the next read of it.
  if (!armed) return armed.error().code() == ErrorCode::kUnavailable ? Armed::kByTimeAlone : Armed::kReached;
  return *armed == PartitionWatches::Armed::kWaits ? Armed::kWaits : Armed::kReached;
}

void SessionWatches::Remove(PartitionWatches::Id watch) {
  watches_->Remove(watch);
  by_id_.erase(watch);
}

std::vector<SessionPartition*> SessionWatches::Take() {
  std::vector<SessionPartition*> woken;
  for (const PartitionWatches::Id id : watches_->Take()) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) woken.push_back(found->second);
  }
  return woken;
}

}  // namespace millrace
