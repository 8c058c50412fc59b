// Inside a PartitionLog: what its mutex guards, and the steps that hold it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "log/durable_marks.h"
#include "log/epoch_history.h"
#include "log/hot_batches.h"
#include "log/log_offsets.h"
#include "log/offset_waiters.h"
#include "log/partition_log_options.h"
#include "log/partition_tail.h"
#include "log/tail_cache.h"
#include "log/visible_watches.h"
#include "log/wal_index.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "wal/wal_replay.h"

namespace millrace {

struct AppendedBatch;
struct ProducerBatch;

struct PartitionLogState final : TailOwner {
  PartitionLogState(PartitionLogOptions options, const PartitionRow& row, Wal& wal, TailCache& tail_cache,
                    Clock& clock);
  void GiveUpRuns(std::uint64_t number) override;

  // Appending (partition_log.cc).
  /// Why an append that would end at `end` is refused, if it is.
  [[nodiscard]] std::optional<Error> CheckCeiling(Offset end) const MR_REQUIRES(mutex);
  /// None: `batch` is to be appended. Precondition: there is a table of producers.
  std::optional<Result<AppendedBatch>> JudgeProducer(const ProducerBatch& batch) MR_REQUIRES(mutex);

  // Visibility (partition_log.cc).
  /// A sync that readers wait for: `end` is durable once the WAL is durable up to `wal_end`.
  struct SyncRequest {
    WalPosition wal_end;
    Offset end;
  };
  void TakeDurable(WalPosition wal_durable_end) MR_REQUIRES(mutex);
  void RaiseDurable(Offset end) MR_REQUIRES(mutex);
  Offset VisibleEnd() MR_REQUIRES(mutex);
  /// Whether a reader waits for the visible end to move.
  [[nodiscard]] bool Awaited() const MR_REQUIRES(mutex) {
    return !waiters.empty() || !watches.empty() || blocked_threads > 0;
  }
  /// Takes out the waiters that can go on, and wakes blocked threads; the calls are run after the mutex is released.
  void TakeReady(std::vector<WakeCall>& ready) MR_REQUIRES(mutex);
  /// What to ask the WAL for, if readers wait for a sync that was not asked for yet. Pass it to AskForSync.
  std::optional<SyncRequest> NextSync() MR_REQUIRES(mutex);
  void AskForSync(const SyncRequest& request) MR_EXCLUDES(mutex);
  /// How index, tail and holes lie to the offsets. Debug builds; cost: all of them, so not after an append.
  void CheckInvariants() const MR_REQUIRES(mutex);
  void OnSynced(const Result<void>& synced, Offset end) MR_EXCLUDES(mutex);

  // Reading (partition_log_read.cc).
  /// Offsets [begin, end) are lost: their frames were damaged, or may have been.
  struct Hole {
    Offset begin, end;
    DamagedRange damage;
    WalPosition at;  // where the damage begins: evidence, until a segment says so
  };
  /// An interval of WAL to read for offsets from `next` up to `stop`.
  struct WalPlan {
    WalExtent range;
    Offset stop;
    std::uint64_t bytes_max;
  };
  [[nodiscard]] const Hole* HoleAt(Offset offset) const MR_REQUIRES(mutex);
  [[nodiscard]] Error HoleError(const Hole& hole, Offset from) const;
  /// True: go on; false: a limit was reached.
  bool TakeFromTail(HotBatches& read, Offset end, std::uint64_t bytes_max) MR_REQUIRES(mutex);
  /// Nothing: what comes next does not fit.
  [[nodiscard]] std::optional<WalPlan> PlanWalRead(Offset next, Offset end, std::uint64_t bytes_left,
                                                   bool anything_read) const MR_REQUIRES(mutex);
  Result<bool> ReadFromWal(WalPlan plan, HotBatches& read, std::uint64_t bytes_max) MR_EXCLUDES(mutex);
  /// The first of our frames that can be read behind damage met when reading from `at`; log_end if there is none.
  struct Resumption {
    Offset base;
    WalPosition at;
  };
  Resumption FindBehindDamage(WalPosition at, const Error& error) MR_EXCLUDES(mutex);
  Error DescribeDamage(const Error& error, Offset begin, Offset end) const;
  void RememberReadEnd(Offset next, WalPosition at) MR_EXCLUDES(mutex);

  // Recovery (partition_log_recovery.cc).
  Result<void> Break(Error error) MR_REQUIRES(mutex);
  Result<void> BridgeGap(Offset expected, Offset base) MR_REQUIRES(mutex);
  void AddHole(Offset begin, Offset end) MR_REQUIRES(mutex);
  /// Behind the last frame: as many offsets as the damage there can have held.
  [[nodiscard]] Offset LostEnd(Offset log_end) const MR_REQUIRES(mutex);

  // Constant after construction.
  const PartitionLogOptions options;
  Wal& wal;
  TailCache& tail_cache;
  Clock& clock;
  std::weak_ptr<PartitionLogState> self;
  std::weak_ptr<TailOwner> self_as_owner;

  mutable Mutex mutex;
  CondVar visible_moved;

  // Guarded by mutex.
  LogOffsets offsets MR_GUARDED_BY(mutex);
  Offset ceiling MR_GUARDED_BY(mutex);
  EpochHistory epochs MR_GUARDED_BY(mutex);
  DurableMarks marks MR_GUARDED_BY(mutex);
  WalIndex index MR_GUARDED_BY(mutex);
  PartitionTail tail MR_GUARDED_BY(mutex);
  OffsetWaiters waiters MR_GUARDED_BY(mutex);
  VisibleWatches watches MR_GUARDED_BY(mutex);
  std::size_t blocked_threads MR_GUARDED_BY(mutex) = 0;
  bool sync_asked MR_GUARDED_BY(mutex) = false;
  std::optional<Error> sync_error MR_GUARDED_BY(mutex);         // of the last sync asked for
  std::optional<Error> ended MR_GUARDED_BY(mutex);              // Interrupt
  std::optional<Error> broken MR_GUARDED_BY(mutex);             // recovery found offsets that cannot be
  std::vector<Hole> holes MR_GUARDED_BY(mutex);                 // by offset
  std::vector<DamagedRange> damage_found MR_GUARDED_BY(mutex);  // the same for good
  /// Where recent reads ended, so that the next in a sequence begins at its frame and not at the interval's.
  struct ReadEnd {
    Offset next{-1};
    WalPosition at;
  };
  std::array<ReadEnd, 4> read_ends MR_GUARDED_BY(mutex);
  std::size_t next_read_end MR_GUARDED_BY(mutex) = 0;

  struct Recovery {
    bool finished = false;
    std::optional<Offset> run_begin, run_end;  // of the frames that follow each other up to the last one
    struct Damage {
      WalDamage found;
      std::optional<std::int64_t> offsets;  // a damaged frame of ours: how many it held, if it can still be told
    };
    std::vector<Damage> damage;          // since the last frame
    std::vector<WalPosition> explained;  // where single frames were lost that were ours
    std::int64_t found_ms = 0;           // when a hole was found
    LeaderEpoch epoch;                   // the highest of a batch
  };
  Recovery recovery MR_GUARDED_BY(mutex);
};

}  // namespace millrace
