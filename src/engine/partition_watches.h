// Interest in partitions that stands for the life of a connection or a fetch session: a partition is added once, armed
// when its reader has come to the end, and wakes its owner when there is more. A poll over 10,000 partitions touches
// those that woke it.
//
//   Add ─► Arm(beyond) ─► (visible end passes `beyond`, log_start moves, or the partition ends) ─► wake ─► Take ─►
//   read ─► Arm(next) ─► …
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/partition_access.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

/// Safe from any thread.
class PartitionWatches {
 public:
  /// Of one Add; not given again.
  using Id = std::uint64_t;
  enum class Armed {
    kWaits,    // the owner will be woken, once
    kReached,  // the visible end is past `beyond` already, or the partition has ended: read; no wake comes for it
  };

  /// `wake` is called when Take has something and had nothing before: once for any number of partitions, until the next
  /// Take. On the thread of an append or a sync, the owner's own too, under no lock; it must not block, nor wait for
  /// the thread that destroys this. `access` outlives this.
  PartitionWatches(PartitionAccess& access, std::function<void()> wake);
  /// When it returns no `wake` is running (but the one that destroys it) and none will.
  ~PartitionWatches();
  PartitionWatches(const PartitionWatches&) = delete;
  PartitionWatches& operator=(const PartitionWatches&) = delete;

  /// Not armed yet. Cost: memory, no lock of the partition's.
  Id Add(PartitionHandle partition);
  /// Take does not name it any more.
  void Remove(Id id);
  /// Wakes once when the visible end is past `beyond`, log_start moves, or the partition ends. Armed anew: the later
  /// call counts; what Take would have named of it is forgotten. Asks for the sync that readers need to see what is
  /// appended. Errors: kClosed, kNotFound (deleted), kCorruption (broken), and why the last sync failed: then nothing
  /// is armed, and a caller waits by time alone. Cost: the partition's lock.
  Result<Armed> Arm(Id id, Offset beyond);
  /// Not woken for it any more; Take does not name it.
  void Disarm(Id id);
  /// Which woke since the last Take. In the order of waking. One that was armed anew while it woke may be named
  /// although nothing has come yet; it is still armed then.
  [[nodiscard]] std::vector<Id> Take();

  [[nodiscard]] std::size_t size() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace millrace
