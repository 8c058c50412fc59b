// Engine: the log itself. Opens a data directory, appends, reads, uploads, forgets, closes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/description.h"
#include "millrace/export.h"
#include "millrace/object_store.h"
#include "millrace/offsets.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/receipt.h"
#include "millrace/record.h"
#include "millrace/result.h"
#include "millrace/statistics.h"

namespace millrace {

class Consumer;
class Cursor;

/// Safe from any thread. Calls block, unless a call says otherwise. Every call answers kClosed once Close has begun,
/// kPermissionDenied if it would change a log that was opened read_only, and kCorruption with damage() or the
/// partition's own error where recovery found it broken; the other errors are named at each call.
///
/// Closing: Close (or the destructor) refuses new calls of the engine, its consumers and its cursors with kClosed, ends
/// their waits with kClosed, waits for those inside, and then lets go of everything. It needs no store and no room, and
/// takes at most a second beyond the syncs it has to make. Consumers and cursors that are still open answer kClosed
/// from then on, and may be destroyed before or after the engine. A call may be inside while Close runs, not while the
/// engine is destroyed.
///
/// Memory that cannot be had ends the process, as does an exception out of a callback or a seam: every call is
/// noexcept, so that none is left with its state half moved.
///
/// The process's limits: a file beyond RLIMIT_FSIZE is kOutOfSpace where SIGXFSZ is ignored; by default that signal
/// ends the process, and a library changes no signal's disposition. Threads or descriptors that cannot be had are
/// kUnavailable.
class MILLRACE_EXPORT Engine {
 public:
  /// Recovers what is there.
  /// Errors: kUnavailable if another engine holds the directory (the message names it) or a file cannot be read,
  /// kNotFound without create_if_missing, kInvalidArgument for a setting out of bounds, kCorruption if identities
  /// disagree, kUnsupported (a format of a later version), kOutOfSpace.
  /// Cost: after a clean close reads no frame of the WAL; else the hot tier once. No request to the object store.
  static Result<std::unique_ptr<Engine>> Open(EngineOptions options) noexcept;
  ~Engine();  // closes
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Its partitions take appends when this returns, and are there after any crash.
  /// Errors: kAlreadyExists, kInvalidArgument (name or options), kUnsupported (kCompact), kUnavailable (metadata; the
  /// hint says if the outcome is unknown). Cost: one metadata transaction; one change of topics at a time.
  Result<void> CreateTopic(std::string_view name, TopicOptions options = {}) noexcept;
  /// Sets all options; `partitions` may only grow. Errors and cost as CreateTopic, and kNotFound.
  Result<void> AlterTopic(std::string_view name, TopicOptions options) noexcept;
  /// Its records, segments and cursors are gone for callers when this returns; objects follow in the background.
  /// Waits and later calls on it answer kNotFound. Errors: kNotFound, kUnavailable (metadata). Cost: one transaction.
  Result<void> DeleteTopic(std::string_view name) noexcept;
  /// All topics by name, partitions in order. Errors: those of metadata. Cost: memory; a partition that was not read
  /// before has its segments loaded from metadata once.
  Result<std::vector<TopicDescription>> DescribeTopics() noexcept;

  /// One atomic batch. An empty span checks topic and partition and is then a no-op (base = log_end, last = base - 1).
  /// Errors: kNotFound, kInvalidArgument (limits; nothing changed), kOutOfSpace (no room within append_wait_max),
  /// kTimeout (AppendOptions::timeout; the batch may still become durable), kUnavailable (disk or store).
  /// Cost: two copies of the payload (one more if compressed), no system call for kOs while there is room; kDisk shares
  /// one write and one sync with all that append meanwhile; kObject waits for the upload of a segment.
  Result<AppendReceipt> Append(const TopicPartition& partition, std::span<const Record> records,
                               AppendOptions options = {}) noexcept;
  /// To the partition of the record's key (Kafka's murmur2), or round robin without one. Errors and cost as above.
  Result<AppendReceipt> Append(std::string_view topic, const Record& record, AppendOptions options = {}) noexcept;
  /// A record of this value, without key and headers, with the present time. Errors and cost as above.
  Result<AppendReceipt> Append(std::string_view topic, std::string_view value, AppendOptions options = {}) noexcept;
  /// The span may go once this returns. `done` runs exactly once, in offset order, on any thread (inline only for a
  /// refusal), under no lock, with the errors of Append. Blocks only over its budget of bytes in flight, at most for
  /// the timeout. What `done` may do: append again, by any call; it holds back the telling of other appends meanwhile.
  /// Close from inside it is refused with kInvalidArgument; destroying the engine there, or throwing, ends the process.
  void AppendAsync(const TopicPartition& partition, std::span<const Record> records, AppendOptions options,
                   std::move_only_function<void(Result<AppendReceipt>)> done) noexcept;
  /// The partition those calls would choose; without a key it takes a turn. kNotFound. Cost: memory.
  Result<PartitionId> PartitionFor(std::string_view topic, std::optional<std::string_view> key) noexcept;
  /// Appends one RecordBatch v2 as it is; base offset and leader epoch are stamped into a copy. Errors: as Append, and
  /// kCorruption if its CRC or its form is wrong, kUnsupported (transactions). Cost: as Append, with one copy and one
  /// more pass for the CRC.
  Result<AppendReceipt> AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                    AppendOptions options = {}) noexcept;

  /// An id for AppendOptions::producer that no other producer of this log has, had, or gets. Errors: those of metadata.
  /// Cost: memory; one transaction for 65,536 of them.
  Result<std::int64_t> NewProducerId() noexcept;

  /// Records from the first with offset >= begin, as many as the limits allow, at least one; none at the visible end.
  /// Shape: ascending, views that stay valid as long as the result.
  /// Errors: kNotFound, kOutOfRange with bounds outside [log_start, visible end], kCorruption with damage() (under
  /// OnDamage::kFail), kUnavailable and kTimeout (store).
  /// Cost: no I/O from the tail cache; else reads of the WAL, or of blocks: from memory, the disk cache, or ranged
  /// requests that are shared with others who read the same. ReadResult::explanation tells which.
  Result<ReadResult> Read(const TopicPartition& partition, Offset begin, ReadLimits limits = {}) noexcept;
  /// Whole batches from the one containing `begin`, undecoded and each verified. Errors and cost as Read.
  Result<BatchReadResult> ReadBatches(const TopicPartition& partition, Offset begin, ReadLimits limits = {}) noexcept;
  /// All in parallel, one byte budget, one result each, in the order asked. Errors: of each alone, as Read.
  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, ReadLimits limits = {}) noexcept;
  /// First offset whose timestamp (milliseconds since 1970) is at or past it; none: the visible end. Errors: as Read.
  /// Cost: in the hot tier a look at its index and one read; else one segment's time index and one block.
  Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) noexcept;

  /// Reads from where the group committed, else by ConsumerOptions::reset. Errors: kNotFound (topic, partition),
  /// kInvalidArgument (nothing to read, group name), kUnavailable (metadata; or another consumer of the group reads one
  /// of `partitions`). Cost: one read of the group's positions.
  Result<std::unique_ptr<Consumer>> OpenConsumer(ConsumerOptions options) noexcept;
  /// Groups that have a position, by name. Errors: those of metadata. Cost: one metadata read.
  Result<std::vector<std::string>> ListGroups() noexcept;
  /// By partition; of a topic it reads, partitions it never committed count from log_start. Errors: kNotFound,
  /// kInvalidArgument (name), those of metadata. Cost: one metadata read.
  Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group) noexcept;
  /// Its members on a server that had this log. A group that has none, or is not there: Empty. Errors:
  /// kInvalidArgument (name), those of metadata. Cost: two metadata reads.
  Result<GroupMembership> DescribeGroupMembers(std::string_view group) noexcept;
  /// Sets the group's position, for consumers that open or take the partition over after this. Errors: kNotFound,
  /// kOutOfRange with bounds, kInvalidArgument (name), those of metadata. Cost: one transaction.
  Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) noexcept;
  /// Forgets all its positions; success also if it had none. Errors: kInvalidArgument (name), those of metadata. Cost:
  /// one transaction.
  Result<void> DeleteGroup(std::string_view group) noexcept;

  /// A name is 1 to 249 bytes without control characters, and per partition. A new cursor starts at log_start and is on
  /// the disk when this returns.
  /// Errors: kNotFound (topic), kInvalidArgument (the name; open in another mode), kCorruption (the position log is
  /// damaged: nothing starts again at 0), kOutOfSpace. Cost: for a new one a synced block; else memory.
  Result<std::unique_ptr<Cursor>> OpenCursor(const TopicPartition& partition, std::string_view name,
                                             ReadConsistency consistency) noexcept;
  /// By partition, then name. Errors: kNotFound (topic), kCorruption (position log). Cost: memory.
  Result<std::vector<CursorDescription>> ListCursors(std::string_view topic) noexcept;
  /// Durable on return; open handles answer kNotFound from now on. Errors: kNotFound if there is no such cursor,
  /// kCorruption (position log), kOutOfSpace. Cost: one synced block.
  Result<void> DeleteCursor(const TopicPartition& partition, std::string_view name) noexcept;

  /// Everything acknowledged so far is in the object store when this returns. Errors: those of store and metadata; what
  /// could be uploaded was. Cost: a put and a transaction for each segment; bound it with a RequestScope.
  Result<void> Upload() noexcept;
  /// Drops from the hot tier all that is in the object store, and what cursors and groups have consumed under
  /// Cleanup::kConsumed.
  /// Errors: those of the disk and of metadata. Cost: headers of the files that become free.
  Result<void> Recycle() noexcept;
  /// What is in the object store, by offset, as the metadata has it. Errors: kNotFound, kCorruption (a segment without
  /// its object's row), those of metadata. Cost: metadata reads, 10,000 segments each, and one for each segment.
  Result<std::vector<SegmentDescription>> DescribeSegments(const TopicPartition& partition) noexcept;
  /// Bytes of a segment as they stand in the object store, past every cache: for a caller who checks or looks. `range`
  /// counts from the segment's beginning. Errors: kInvalidArgument (outside of it), kCorruption (the object is
  /// shorter), kUnavailable, kNotFound. Cost: one request.
  Result<SharedBytes> ReadSegment(const SegmentDescription& segment, ByteRange range) noexcept;
  /// Forgets records below `before`; the new log_start. Durable on return. Errors: kNotFound, kOutOfRange with bounds,
  /// those of metadata. Cost: one sync of what is not durable yet, one transaction.
  Result<Offset> DeleteRecords(const TopicPartition& partition, Offset before) noexcept;
  /// Does what is due and what the engine's threads would do in their time: idle uploads, retention, collection of
  /// objects, recycling; in bounded steps, ends soon after `time_max`; without one also the snapshot of metadata that
  /// the store is owed. For programs that open a log for moments only.
  /// Errors: those of the store and of metadata; what could be done was done.
  Result<MaintenanceReport> Maintain(std::optional<std::chrono::milliseconds> time_max = {}) noexcept;
  /// Says that the wall clock is right, after EngineStats::clock_doubted: retention by age goes on, by that clock.
  /// Errors: of the file that keeps the time. Cost: one small synced file.
  Result<void> TrustClock() noexcept;
  /// The partition's marks as of now. kNotFound. Cost: memory.
  Result<PartitionOffsets> Offsets(const TopicPartition& partition) noexcept;
  /// Counters since Open, and what fails at this moment. Never blocks for I/O. Cost: a look at every partition.
  [[nodiscard]] EngineStats Stats() const noexcept;
  /// Persists positions, tells every `done`, ends waits with kClosed. Again: no-op. kInvalidArgument from inside a
  /// callback of this engine, which then stays open. Otherwise the error of what could not be written; closed it is all
  /// the same. Cost: one sync each of WAL, positions and metadata.
  Result<void> Close() noexcept;

  class State;

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace
