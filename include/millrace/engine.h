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

/// Safe from any thread. Calls block.
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
  /// Recovers what is there. kUnavailable if another engine holds the directory (the message names it), kNotFound
  /// without create_if_missing, kInvalidArgument for a setting out of bounds, kCorruption if identities disagree.
  static Result<std::unique_ptr<Engine>> Open(EngineOptions options) noexcept;
  ~Engine();  // closes
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Result<void> CreateTopic(std::string_view name, TopicOptions options = {}) noexcept;
  Result<void> AlterTopic(std::string_view name, TopicOptions options) noexcept;  // partitions may only grow
  Result<void> DeleteTopic(std::string_view name) noexcept;
  Result<std::vector<TopicDescription>> DescribeTopics() noexcept;

  /// One atomic batch. An empty span checks topic and partition and is then a no-op (base = log_end, last = base - 1).
  /// Errors: kNotFound, kInvalidArgument (limits; nothing changed), kOutOfSpace, kTimeout, kUnavailable, kClosed.
  Result<AppendReceipt> Append(const TopicPartition& partition, std::span<const Record> records,
                               AppendOptions options = {}) noexcept;
  /// To the partition of the record's key (Kafka's murmur2), or round robin without one.
  Result<AppendReceipt> Append(std::string_view topic, const Record& record, AppendOptions options = {}) noexcept;
  Result<AppendReceipt> Append(std::string_view topic, std::string_view value, AppendOptions options = {}) noexcept;
  /// The span may go once this returns. `done` runs exactly once, in offset order, on any thread (inline only for a
  /// refusal), under no lock. Over its budget of bytes in flight it blocks, at most for the timeout.
  /// What `done` may do: append again, by any call; it holds back the telling of other appends meanwhile. Close from
  /// inside it is refused with kInvalidArgument; destroying the engine there, or throwing, ends the process.
  void AppendAsync(const TopicPartition& partition, std::span<const Record> records, AppendOptions options,
                   std::move_only_function<void(Result<AppendReceipt>)> done) noexcept;
  /// The partition those calls would choose. kNotFound.
  Result<PartitionId> PartitionFor(std::string_view topic, std::optional<std::string_view> key) noexcept;
  /// Appends one RecordBatch v2 as it is; base offset and leader epoch are stamped into a copy.
  Result<AppendReceipt> AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                    AppendOptions options = {}) noexcept;

  /// Records from the first with offset >= begin. Empty at the visible end; kOutOfRange with bounds outside [log_start,
  /// visible end].
  Result<ReadResult> Read(const TopicPartition& partition, Offset begin, ReadLimits limits = {}) noexcept;
  /// Whole batches from the one containing `begin`.
  Result<BatchReadResult> ReadBatches(const TopicPartition& partition, Offset begin, ReadLimits limits = {}) noexcept;
  /// All in parallel, one byte budget, one result each, in the order asked.
  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, ReadLimits limits = {}) noexcept;
  /// First offset whose timestamp is at or past it; none: the visible end.
  Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) noexcept;

  Result<std::unique_ptr<Consumer>> OpenConsumer(ConsumerOptions options) noexcept;
  Result<std::vector<std::string>> ListGroups() noexcept;
  Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group) noexcept;
  Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) noexcept;
  Result<void> DeleteGroup(std::string_view group) noexcept;

  /// A name is 1 to 249 bytes without control characters, and per partition. A new cursor starts at log_start and is on
  /// the disk when this returns. Errors: kNotFound (topic), kInvalidArgument (the name; open in another mode),
  /// kCorruption (the position log is damaged: nothing starts again at 0), kOutOfSpace.
  Result<std::unique_ptr<Cursor>> OpenCursor(const TopicPartition& partition, std::string_view name,
                                             ReadConsistency consistency) noexcept;
  /// By partition, then name.
  Result<std::vector<CursorDescription>> ListCursors(std::string_view topic) noexcept;
  /// Durable on return; open handles answer kNotFound from now on. kNotFound if there is no such cursor.
  Result<void> DeleteCursor(const TopicPartition& partition, std::string_view name) noexcept;

  /// Everything acknowledged so far is in the object store when this returns.
  Result<void> Upload() noexcept;
  /// Drops from the hot tier all that is in the object store.
  Result<void> Recycle() noexcept;
  /// What is in the object store, by offset, as the metadata has it.
  Result<std::vector<SegmentDescription>> DescribeSegments(const TopicPartition& partition) noexcept;
  /// Bytes of a segment as they stand in the object store, past every cache: for who checks or looks. `range` counts
  /// from the segment's beginning. Errors: kCorruption (shorter than that), kUnavailable, kNotFound.
  Result<SharedBytes> ReadSegment(const SegmentDescription& segment, ByteRange range) noexcept;
  /// Forgets records below `before`; the new log_start.
  Result<Offset> DeleteRecords(const TopicPartition& partition, Offset before) noexcept;
  /// Does what is due and what the engine's threads would do in their time: idle uploads, retention, collection of
  /// objects, recycling; in bounded steps, ends soon after `time_max`. For programs that open a log for moments only.
  /// Errors: those of the store and of metadata; what could be done was done.
  Result<MaintenanceReport> Maintain(std::optional<std::chrono::milliseconds> time_max = {}) noexcept;
  /// Says that the wall clock is right, after EngineStats::clock_doubted: retention by age goes on, by that clock.
  Result<void> TrustClock() noexcept;
  Result<PartitionOffsets> Offsets(const TopicPartition& partition) noexcept;
  [[nodiscard]] EngineStats Stats() const noexcept;
  /// Persists positions, tells every `done`, ends waits with kClosed. Again: no-op. kInvalidArgument from inside a
  /// callback of this engine, which then stays open. Otherwise the error of what could not be written; closed it is all
  /// the same.
  Result<void> Close() noexcept;

  class Implementation;

 private:
  explicit Engine(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace
