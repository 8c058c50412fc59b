// Keeps entries that all cursors have passed from being reclaimed while a cursor is about to stand before them. A
// cursor that goes back, or is made, claims a position before it looks whether the log still has it; a reclaim leaves
// what is claimed, and a cursor that comes later waits until the reclaim has ended.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/mutex.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread.
class ReclaimClaims {
 public:
  /// Nothing at or past its position is reclaimed while it lives.
  class Claim {
   public:
    Claim(ReclaimClaims& claims, const PartitionKey& partition, Offset position)
        : claims_(claims), partition_(partition), position_(position) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() { claims_.Withdraw(partition_, position_); }

   private:
    ReclaimClaims& claims_;
    const PartitionKey partition_;
    const Offset position_;
  };

  /// Blocks while something past `position` is being reclaimed. The bounds of the log that are read from now on are
  /// true for as long as the claim lives.
  [[nodiscard]] Claim Hold(const PartitionKey& partition, Offset position);
  /// Calls `forget` with the lower of `lowest()` and what is claimed, and what `forget` returns; false if there is
  /// nothing. `lowest` runs under the lock of the claims, `forget` does not.
  Result<bool> Reclaim(const PartitionKey& partition, const std::function<std::optional<Offset>()>& lowest,
                       const std::function<Result<bool>(Offset until)>& forget);

 private:
  struct Standing {
    std::multiset<Offset> claimed;
    std::optional<Offset> reclaiming;  // everything below
  };
  void Withdraw(const PartitionKey& partition, Offset position);
  void EndReclaim(const PartitionKey& partition);
  void DropIfIdle(const PartitionKey& partition) MR_REQUIRES(mutex_);

  Mutex mutex_;
  CondVar reclaimed_;
  std::map<PartitionKey, Standing> standing_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
