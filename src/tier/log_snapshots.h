// Puts snapshots of metadata beside the objects, so that a log can be found again without reading every object, and so
// that objects may be deleted: whoever goes on with the log begins with the newest snapshot, and refers to nothing that
// was given up before that one was begun.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "tier/known_producer.h"
#include "tier/store_claim.h"

namespace millrace {

class SnapshotBuilder;

/// All rows that a successor needs. Whoever calls it sees to it that no topic is made or deleted meanwhile.
Result<void> AddSnapshotRows(MetadataStore& metadata, SnapshotBuilder& to);

struct LogSnapshotsOptions {
  /// While true, one is wanted whatever the reasons below; it sets it to false. Outlives the snapshots; none: never.
  std::atomic<bool>* wanted = nullptr;
  /// Called under no lock with the partitions of one that was answered and proven: the store knows these ends.
  std::function<void(std::span<const PartitionRow>)> on_proven = {};
  /// Called under no lock, behind the rows: all producers that number their batches. None: there are none.
  std::function<std::vector<KnownProducer>()> producers = {};
};

/// Safe from any thread; one snapshot at a time.
class LogSnapshots {
 public:
  /// `time` tells wall time for people. All of them outlive it.
  LogSnapshots(StoreClaim& claim, ObjectStore& objects, MetadataStore& metadata, Clock& time,
               LogSnapshotsOptions options = {});

  /// One more, of all that was committed before this call; answered and proven when this returns. The newest three are
  /// kept. Errors: those of the claim and of the stores. Cost: a scan of metadata, a PUT, a GET; memory of the
  /// compressed snapshot.
  Result<void> Put();
  /// Puts one if it is wanted, or if anything has changed since the last, positions of groups included, and there is
  /// reason to: so many objects, or so much time. True: it did.
  Result<bool> PutIfDue(std::uint64_t objects_ever);
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  /// What the last snapshot of this process was, if there was one.
  struct Last {
    ChangeNumber change;
    std::uint32_t groups = 0;  // a checksum of their rows, which no change counts
    std::chrono::nanoseconds at{};
    std::uint64_t objects = 0;
  };
  Result<void> Enter();
  void Leave(std::optional<Last> last);
  Result<Last> PutNow(std::uint64_t objects_ever);
  Result<void> DropOlder();
  SnapshotName NextName(const Generation& generation);

  StoreClaim& claim_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  Clock& time_;
  const LogSnapshotsOptions options_;
  std::atomic<std::uint64_t> count_{0}, objects_ever_{0};
  Mutex mutex_;
  CondVar left_;
  bool putting_ MR_GUARDED_BY(mutex_) = false;  // by one thread, under no lock
  SnapshotName next_ MR_GUARDED_BY(mutex_);     // each attempt takes a number of its own
  std::optional<Last> last_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
