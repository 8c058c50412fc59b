// The door for a server: batches as they are on the wire, no records; answers that do not wait, or say so. Beside it
// stand CommitTurn (appends that are told) and PartitionWatches (fetches that wait).
//
//   frame ─► CheckBatch ─► TakeBatch ─► CommitTurn::Stage ─► … ─► CommitTurn::Commit ─► replies
//                                              │ NeedsRoom
//                                              └─► OnRoom ─► Stage again
//   fetch ─► ReadTail ─► here: reply      elsewhere: Read, on a pool of the server's own      nothing yet:
//   PartitionWatches
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/append_ladder.h"
#include "engine/metadata_image.h"
#include "engine/metadata_image_cell.h"
#include "log/epoch_history.h"
#include "log/partition_log.h"
#include "log/tail_batches.h"
#include "millrace/bytes.h"
#include "millrace/engine.h"
#include "millrace/offsets.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"
#include "millrace/types.h"
#include "read/timed_offset.h"
#include "wal/wal.h"

namespace millrace {

class CallGate;
class Clock;
class RoomQueue;

/// What a batch was given that is in the log, in the operating system and not further yet.
struct StagedBatch {
  Offset base, end;
  std::int64_t timestamp_ms = 0;  // its maximum timestamp, as stamped
  WalPosition wal_end;            // synced once the WAL's durable_end is there
  bool repeated = false;          // its producer had sent it before: all this is of the first time
};

/// What is in memory at an offset: batches, nothing yet, or elsewhere.
using TailRead = TailBatches;

/// All marks of a partition at one moment.
struct PartitionMarks {
  PartitionOffsets offsets;  // log_start (ListOffsets -2), hot_start (-4), tiered_end (-6, and -5: less one)
  Offset visible_end;        // the high watermark (-1)
};

/// The one door for a server in this process. The engine outlives it; several may stand open. Safe from any thread.
/// Every call counts as in flight against Engine::Close and answers kClosed after it; kNotFound for a topic that was
/// deleted, the partition's own error where recovery found it broken. No call holds a lock while it calls back.
class PartitionAccess {
 public:
  explicit PartitionAccess(Engine& engine);
  /// What waits in OnRoom is answered kClosed before it returns. CommitTurns and PartitionWatches go first.
  ~PartitionAccess();
  PartitionAccess(const PartitionAccess&) = delete;
  PartitionAccess& operator=(const PartitionAccess&) = delete;

  // Topics.
  /// As of now: a change that returned before this call is in it. Never null; after Close the last one. Cost: no SQL; a
  /// counted copy, and after a change of topics one pass over their names, made by the first who asks.
  [[nodiscard]] std::shared_ptr<const MetadataImage> image();
  /// Whether `image` is still what image() gives. Cost: one atomic load, so that a loop keeps its image.
  [[nodiscard]] bool IsCurrent(const MetadataImage& image) const;
  /// None: there is no such topic, or no such partition. Cost: one hash; no lock.
  [[nodiscard]] PartitionHandle Find(std::string_view topic, PartitionId partition) const;
  /// By uuid: through image(), at its cost.
  [[nodiscard]] PartitionHandle Find(const TopicUuid& topic, PartitionId partition);
  /// An error if calls on the partition answer with it at present: kNotFound, kClosed, kCorruption (broken).
  [[nodiscard]] Result<void> CheckAlive(PartitionHandle partition) const;
  /// What acks=all gets from this topic.
  [[nodiscard]] Durability durability(PartitionHandle partition) const;

  // Appending. Never waits.
  /// Stamps base offset and epoch into `batch` (checked by CheckBatch) and stages it: kOs. Takes `batch`, or leaves it
  /// for another try. Errors: NeedsRoom(error): nothing happened, call OnRoom and repeat; else as the log's own:
  /// kNotFound, kClosed, kPermissionDenied, kCorruption, kInvalidArgument (larger than any WAL frame), kUnavailable
  /// (the log is poisoned), kProducerFenced and kOutOfSequence of a batch with a producer's id. Prefer CommitTurn,
  /// which tells about the sync.
  Result<StagedBatch> TryAppend(PartitionHandle partition, Buffer& batch);
  /// The same; the caller passes `effects` to Run, soon and under no lock: readers wait for it.
  Result<StagedBatch> TryAppend(PartitionHandle partition, Buffer& batch, PartitionLog::Effects& effects);
  void Run(PartitionHandle partition, PartitionLog::Effects effects);
  /// Whether an append that failed with `error` is worth another try once OnRoom has called.
  [[nodiscard]] static bool NeedsRoom(const Error& error);
  /// Calls `done` once, on a thread of this object and under no lock, when there is room for a batch of `bytes` (which
  /// another appender may take first: try, and ask again), or with the reason why there is none: kOutOfSpace after
  /// EngineOptions::append_wait_max, kTimeout (the disk does not answer), kClosed, the poison. `done` must not block:
  /// the next one waits for it. In the order of the calls; inline, with kClosed, only if nothing can wait any more.
  void OnRoom(std::uint64_t bytes, std::move_only_function<void(const Result<void>&)> done);

  // Reading.
  /// What is in memory from `begin` on, up to `bytes_max`. Never waits and makes no I/O. Errors: kOutOfRange with
  /// bounds, kNotFound, kClosed, kCorruption (broken).
  Result<TailRead> ReadTail(PartitionHandle partition, Offset begin, std::uint64_t bytes_max,
                            Overshoot overshoot = Overshoot::kFirstBatch);
  /// From wherever it is, as Engine::ReadBatches; blocks for disk, object store and, at the end of the log, for the
  /// sync of what was acknowledged. For a pool of the server's own. Under kNever without a batch: `next` is `begin`.
  Result<BatchReadResult> Read(PartitionHandle partition, Offset begin, const ReadLimits& limits,
                               Overshoot overshoot = Overshoot::kFirstBatch);
  /// Cost: the partition's lock.
  Result<PartitionMarks> Marks(PartitionHandle partition);
  /// The bytes of batches from `begin` on, until the visible end or until they are `enough` (fetch.min.bytes); a caller
  /// that waits counts on from `end`, so that each batch is counted once. What is not in memory is taken for enough;
  /// none at the visible end, past it and below log_start. Cost: one step a batch.
  Result<CountedBytes> VisibleBytes(PartitionHandle partition, Offset begin, std::uint64_t enough);

  // Times. These block, as Read does.
  /// The first record at or past `timestamp_ms`: offset and its own timestamp, also inside a compressed batch. None: no
  /// visible record is that late. Errors: as Read. Cost: below tiered_end one segment's time index and a block; what is
  /// not in a segment yet is read and walked, since a batch may have been let in by its header and its maximum
  /// timestamp is what its producer claims.
  Result<std::optional<TimedOffset>> LookupTime(PartitionHandle partition, std::int64_t timestamp_ms);
  /// The record with the greatest timestamp, the first of several (ListOffsets -3). None: nothing is in the log. Errors
  /// and cost: as LookupTime.
  Result<std::optional<TimedOffset>> LookupMaxTimestamp(PartitionHandle partition);

  // Producers.
  /// An id that was given to nobody; none: NewProducerId has to be called, which blocks. Never waits.
  std::optional<std::int64_t> TryNewProducerId();
  /// The same; blocks for metadata. Errors: those of metadata, kClosed, kPermissionDenied.
  Result<std::int64_t> NewProducerId();

  // Leader epochs. The present one stays as long as the engine is open (docs/adr/0038-leader-epochs.md): it is what is
  // stamped into batches, and what image() says. Cost of each: the partition's lock.
  Result<LeaderEpoch> Epoch(PartitionHandle partition);
  /// The epoch under which the record at `offset`, or the next one to come there, was appended.
  Result<LeaderEpoch> EpochAt(PartitionHandle partition, Offset offset);
  /// What OffsetForLeaderEpoch answers: the largest epoch at or below `epoch`, and where it ended; log_end for the
  /// present one. None: `epoch` is above the present one, or below 0.
  Result<std::optional<EpochEnd>> EndOfEpoch(PartitionHandle partition, LeaderEpoch epoch);

  [[nodiscard]] Clock& clock() const;

 private:
  friend class CommitTurn;
  friend class PartitionWatches;
  /// The partition, or the error that calls on it answer with at present.
  static Result<Partition*> Alive(PartitionHandle handle);
  static Partition& PartitionOf(PartitionHandle handle) { return *handle.partition_; }
  [[nodiscard]] AppendLadder& ladder() { return ladder_; }
  [[nodiscard]] Wal& wal() const;
  [[nodiscard]] CallGate& calls() const;

  Engine::State& state_;
  AppendLadder ladder_;
  MetadataImageCell image_;
  const std::unique_ptr<RoomQueue> room_;
};

}  // namespace millrace
