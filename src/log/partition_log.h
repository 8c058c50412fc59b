// One partition's hot end: gives offsets, appends to the WAL, keeps fresh batches in memory, wakes waiting readers.
//
//   log_start <= tiered_end <= durable_end <= log_end        hot_start <= tiered_end
//
// Threads: any. Appends to one partition queue on its mutex; nothing under it does I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "log/epoch_history.h"
#include "log/hot_batches.h"
#include "log/partition_log_options.h"
#include "log/tail_batches.h"
#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/offsets.h"
#include "millrace/result.h"
#include "wal/wal_replay.h"

namespace millrace {

class TailCache;
class VisibleWatch;
struct PartitionSnapshot;
struct PartitionLogState;

struct AppendedBatch {
  Offset base, end;
  std::int64_t timestamp_max_ms = 0;
  WalPosition wal_end;    // durable once the WAL's durable_end reaches it
  bool repeated = false;  // its producer had sent it before: nothing was appended, and this tells of the first time
};

class PartitionLog {
 public:
  using Options = PartitionLogOptions;
  /// `row` is the metadata's view: log_start, tiered_end, epoch. Collaborators outlive the log.
  PartitionLog(Options options, const PartitionRow& row, Wal& wal, TailCache& tail_cache, Clock& clock);
  ~PartitionLog();

  // Recovery, before any other call: frames of this partition in WAL order, then damage, then FinishRecovery.
  /// kCorruption if the batch does not follow (offsets overlap or leave a gap not covered by segments); the partition
  /// then answers every append and hot read with it.
  Result<void> RecoverFrame(WalExtent extent, std::span<const std::byte> batch);
  /// Some frames in `damage` may have been ours; what lies between the neighbours' offsets, if anything, reads as
  /// kCorruption from now on unless segments cover it.
  void RecoverDamage(const WalDamage& damage);
  /// A frame of ours, of whose `payload` some bytes are wrong.
  void RecoverDamagedFrame(const WalDamage& damage, std::span<const std::byte> payload);
  /// Where damage begins that can have held one frame only, and that one was ours: no other partition lost it.
  [[nodiscard]] std::vector<WalPosition> FramesLostHere() const;
  /// Nothing of ours was in the damage that begins at any of `places`.
  void Acquit(std::span<const WalPosition> places);
  Result<void> FinishRecovery();
  /// What recovery left it with: why it answers every call with an error, and which ranges are lost.
  [[nodiscard]] std::optional<Error> broken() const;
  [[nodiscard]] std::vector<DamagedRange> damage_found() const;
  [[nodiscard]] bool damaged() const;
  /// Instead of frames: what TakeSnapshot wrote when the WAL was closed. False: it does not fit what metadata says, and
  /// nothing has changed.
  [[nodiscard]] bool CanRestoreSnapshot(const PartitionSnapshot& run) const;
  void RestoreSnapshot(PartitionSnapshot run);
  /// What the WAL holds of this partition, once appends have ended. Nothing in it: an empty run. None: there are holes
  /// or worse, which only the frames can tell.
  [[nodiscard]] std::optional<PartitionSnapshot> TakeSnapshot() const;

  /// Stamps base offset and epoch into `batch` (validated, one whole RecordBatch v2), stages it in the WAL and makes it
  /// readable under the sync policy. kOs is reached on return. Errors: kUnavailable (staging full: Wal::AwaitRoom, then
  /// repeat; `batch` is untouched), kOutOfSpace, kCorruption (see RecoverFrame), kClosed, poison. Of a batch with a
  /// producer's id, by the rules of docs/producers.md: kProducerFenced, kOutOfSequence; one that comes again is not
  /// appended, and left in `batch`. kTimeout: the offsets are not promised yet (RaiseCeiling); `batch` may be appended
  /// later.
  Result<AppendedBatch> TryAppend(Buffer& batch);
  /// What an append sets off: the calls of readers that waited for it, and the sync that others still wait for.
  struct Effects {
    std::vector<std::move_only_function<void()>> calls;
    struct Sync {
      WalPosition wal_end;
      Offset end;
    };
    std::optional<Sync> sync;
  };
  /// The same for a caller that holds a lock of its own: it passes `effects` to Run once it has released that lock.
  Result<AppendedBatch> TryAppend(Buffer& batch, Effects& effects);
  /// Under no lock: the calls of the readers that waited may call back into the appender.
  void Run(Effects effects);
  /// The same with waiting for room, up to `deadline` (Clock::Monotonic).
  Result<AppendedBatch> Append(Buffer batch, std::chrono::nanoseconds deadline);

  [[nodiscard]] PartitionOffsets offsets() const;
  /// What readers may see: durable_end under Each, else log_end.
  [[nodiscard]] Offset visible_end() const;
  /// Before a read near the end: syncs, or waits for the sync in progress, so that visible_end() covers everything
  /// acknowledged before this call.
  Result<void> AwaitAcknowledged(std::optional<std::chrono::nanoseconds> deadline);

  /// Whatever the policy: everything appended before this call is durable when it returns; the durable_end then. What
  /// the uploader calls before it takes a range, and DeleteRecords before it moves log_start.
  Result<Offset> Sync(std::optional<std::chrono::nanoseconds> deadline);

  /// Batches from the one containing `begin` (hot_start <= begin < end), up to `bytes_max` (at least one), not past
  /// `end`. Tail cache first, then the WAL. Errors: kOutOfRange (no longer hot: look in segments), kCorruption with
  /// damage() complete (offsets, file, bytes), kUnavailable.
  Result<HotBatches> ReadHot(Offset begin, Offset end, std::uint64_t bytes_max);

  /// Blocks until visible_end() > `offset`, the deadline (false), or Interrupt. Woken by appends and syncs, never by
  /// polling. kNotFound: topic deleted, kClosed.
  Result<bool> AwaitVisible(Offset offset, std::chrono::nanoseconds deadline);
  /// Calls `wake` once when visible_end() > `offset` (inline if it is already), or the log ends. Returns a ticket for
  /// CancelWaiter. `wake` runs on the appender's or the syncing thread, under no lock; it may append, but not block.
  std::uint64_t AddWaiter(Offset offset, std::move_only_function<void()> wake);
  /// True: `wake` has not run and never will. False: it has, or is running now on another thread.
  bool CancelWaiter(std::uint64_t ticket);

  // For a server, which does not wait (partition_log_tail.cc). No I/O.
  /// What is in memory from `begin` on, up to `bytes_max` and the visible end. Errors: kOutOfRange with bounds (below
  /// log_start, or past log_end), kCorruption (broken).
  Result<TailBatches> ReadTail(Offset begin, std::uint64_t bytes_max, Overshoot overshoot);
  /// The bytes of batches from `begin` on, as far as the visible end or until they are `enough`, where a caller goes on
  /// counting. What is not in memory is taken for enough. None below log_start. Cost: a step for each batch.
  [[nodiscard]] CountedBytes VisibleBytes(Offset begin, std::uint64_t enough) const;
  /// True: `watch` is called once when visible_end() > `beyond`, log_start moves or the log ends; asks for the sync it
  /// takes. False: the end is there already, and nothing is armed. Errors, with nothing armed: why the log has ended,
  /// why it is broken, why the last sync failed that what is not visible waits for.
  Result<bool> ArmWatch(const std::shared_ptr<VisibleWatch>& watch, Offset beyond);
  /// Not armed any more. A call of it may be running now.
  void DisarmWatch(VisibleWatch& watch);

  /// An offset in [from, visible_end] below which, from `from` on, no hot record has a timestamp at or past
  /// `timestamp_ms`: where a search by time begins. Precondition: from >= hot_start. No I/O.
  [[nodiscard]] Offset FindHotByTime(Offset from, std::int64_t timestamp_ms) const;

  // For tier and engine.
  /// After a metadata commit: everything below `tiered_end` is in segments. Ignored if it is not above the present one.
  /// Precondition: tiered_end <= durable_end.
  void AdvanceTieredEnd(Offset tiered_end);
  /// After metadata moved log_start; takes tiered_end along where it passes that. Ignored if not above the present one.
  /// Precondition: log_start <= durable_end (Sync first). Wakes every armed watch, under no lock.
  void AdvanceLogStart(Offset log_start);
  /// Of a log that somebody else writes, and that is read from its segments alone: they reach up to `end` now, and so
  /// does the log; waiting readers wake. Ignored if it is not above the present one. Precondition: nothing was ever
  /// appended here, nor recovered.
  void FollowTo(Offset end);
  /// The object store has heard that offsets below `ceiling` may be given. Ignored if not above the present one.
  void RaiseCeiling(Offset ceiling);
  [[nodiscard]] Offset ceiling() const;
  /// What was appended under which epoch, and what is appended from now on. Precondition: the present one does not
  /// fall.
  void SetEpochs(EpochHistory epochs);
  [[nodiscard]] LeaderEpoch epoch() const;
  /// Of the record at `offset`, or of the next to come there.
  [[nodiscard]] LeaderEpoch EpochAt(Offset offset) const;
  /// See EpochHistory::EndOf.
  [[nodiscard]] std::optional<EpochEnd> EndOfEpoch(LeaderEpoch asked) const;
  /// The highest epoch in a frame that recovery was handed; 0: it was handed none.
  [[nodiscard]] LeaderEpoch recovered_epoch() const;
  /// The oldest WAL position that is needed: of a frame or of damage not yet in segments and not below log_start. None:
  /// nothing is. A partition that could not be recovered needs everything: it cannot tell which frames are its own.
  [[nodiscard]] std::optional<WalPosition> OldestNeeded() const;
  /// What the WAL holds of [from, end), in whole intervals of its index; one that begins before `until` is whole in it.
  struct WalShare {
    WalPosition begin;        // the batch that holds `from` begins there or behind it
    Offset end;               // of a batch; above `from`
    std::uint64_t bytes = 0;  // of batches: less than an interval too many, at least 1
  };
  /// None: the log ends at `from`, or cannot tell (`from` is no longer hot, the partition is broken).
  [[nodiscard]] std::optional<WalShare> ShareOf(Offset from, WalPosition until) const;
  /// Where the first interval of the index begins that does so at or past `position`.
  [[nodiscard]] std::optional<WalPosition> NextInterval(WalPosition position) const;
  /// Found on the way: no batch that begins before `at` has offset `next` or a higher one. Looks for `next` begin
  /// there.
  void NoteFrameAt(Offset next, WalPosition at);
  /// The first offset that is in memory; log_end if none is.
  [[nodiscard]] Offset tail_begin() const;
  /// The WAL dropped everything before `position`: hot_start moves.
  void OnRecycled(WalPosition position);
  /// Bytes in [tiered_end, log_end), durable or not (the uploader syncs first), and when the oldest of them was
  /// appended (wall ms; from batch timestamps after a restart). In whole intervals of the WAL index: up to 64 KiB too
  /// many, more if the memory of the index is short.
  struct Pending {
    std::uint64_t bytes = 0;
    std::int64_t oldest_ms = 0;
  };
  [[nodiscard]] Pending pending() const;
  [[nodiscard]] std::uint64_t hot_bytes() const;
  /// Memory that tells where in the WAL the offsets lie.
  [[nodiscard]] std::uint64_t index_bytes() const;

  /// Ends every wait with `error`; later appends and waits answer it too.
  void Interrupt(Error error);

  [[nodiscard]] WalStream stream() const;
  [[nodiscard]] const PartitionKey& key() const;
  [[nodiscard]] const TopicPartition& name() const;

 private:
  std::shared_ptr<PartitionLogState> state_;  // shared with the WAL's callbacks and the tail cache while they run
};

}  // namespace millrace
