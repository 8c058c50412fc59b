// Appends whose callers do not wait: each is told once, in the offset order of its partition, on one thread of ours.
//
//   TryAppend ─► queue of the partition ─► (WAL or upload schedule says: further) ─► CompleteOnce ─► done
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "engine/append_ladder.h"
#include "engine/partition.h"
#include "millrace/options.h"
#include "millrace/receipt.h"

namespace millrace {

/// Safe from any thread, CompleteOnce apart: one call at a time. A `done` is called under no lock; while it runs its
/// thread counts as inside `calls`. An exception out of it ends the process.
class AsyncAppends {
 public:
  using Done = std::move_only_function<void(Result<AppendReceipt>)>;

  /// Collaborators outlive it.
  AsyncAppends(AppendLadder& ladder, Clock& clock, const CallGate& calls)
      : ladder_(ladder), clock_(clock), calls_(calls) {}

  /// Takes `bytes` of the budget; blocks while it is used up, except inside a `done`. kTimeout at the deadline, kClosed
  /// after EndWaits.
  Result<void> Reserve(std::uint64_t bytes, std::optional<std::chrono::nanoseconds> deadline);
  void Release(std::uint64_t bytes);
  /// Stages `batch`, whose bytes are reserved, and takes `done`; or leaves both as they were, with PartitionLog's
  /// error.
  Result<void> TryAppend(Partition& partition, Buffer& batch, std::int64_t timestamp_ms, Durability durability,
                         Done& done);
  /// Calls `done` inline, for an append that is refused before it is queued.
  static void Refuse(Done done, Error error) noexcept;
  /// Nothing to append: told when what came before is.
  void AddEmpty(Partition& partition, const AppendReceipt& receipt, Done done);

  /// Tells what is complete of the partitions that were signalled; true: an append was told, or more is signalled.
  bool CompleteOnce();
  /// Sleeps until something is signalled, or Wake (also one since the last sleep). One sleeper.
  void AwaitWork();
  void Wake();
  /// From now on no appender waits for the budget.
  void EndWaits();

 private:
  using Item = AsyncQueue::Item;
  void Signal(Partition& partition);
  void Tell(Done done, Result<AppendReceipt> outcome) noexcept;
  void Arm(Partition& partition);
  void OnRung(Partition& partition, Durability rung, const StagedAppend& awaited, const Result<void>& reached);
  bool Complete(Partition& partition);
  [[nodiscard]] Result<std::optional<Durability>> MissingOf(Partition& partition, AsyncQueue& queue, const Item& item)
      MR_REQUIRES(queue.mutex);

  AppendLadder& ladder_;
  Clock& clock_;
  const CallGate& calls_;
  Mutex mutex_;
  CondVar work_, room_;
  std::vector<Partition*> signalled_ MR_GUARDED_BY(mutex_);
  std::uint64_t bytes_ MR_GUARDED_BY(mutex_) = 0;
  bool woken_ MR_GUARDED_BY(mutex_) = false, waits_ended_ MR_GUARDED_BY(mutex_) = false;
  std::thread::id completer_ MR_GUARDED_BY(mutex_);  // inside CompleteOnce
};

}  // namespace millrace
