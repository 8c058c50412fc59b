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
#include "millrace/export.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

class Consumer;
class Cursor;

struct AppendReceipt {
  Offset base_offset;
  Offset last_offset;             // base - 1 for an empty append
  std::int64_t timestamp_ms = 0;  // of the last record
  Durability reached = Durability::kOs;
  PartitionId partition;
};

struct ReadRequest {
  TopicPartition partition;
  Offset begin;
};

struct BytesBySource {
  std::uint64_t tail = 0, wal = 0, block_cache = 0, segment_cache = 0, object_store = 0;
};

/// What a read stood still for.
struct WaitByCause {
  std::chrono::nanoseconds sync{};    // of what was acknowledged and not yet synced
  std::chrono::nanoseconds store{};   // its own requests
  std::chrono::nanoseconds shared{};  // requests under way for another reader, or ahead of this one
  std::chrono::nanoseconds memory{};  // room in read_memory_max
  std::chrono::nanoseconds cache{};   // the disk cache

  [[nodiscard]] std::chrono::nanoseconds sum() const { return sync + store + shared + memory + cache; }
};

/// Where a read's bytes came from and what it cost.
struct ReadExplanation {
  BytesBySource bytes;
  std::uint64_t prefetched = 0;            // of the object store's bytes, those that were fetched ahead
  std::uint64_t requests = 0, shared = 0;  // object store requests made, and joined while somebody else made them
  std::chrono::nanoseconds wait{};
  WaitByCause wait_by_cause;
  double cost_usd = 0;  // of the requests, at list prices
  struct Range {
    std::string object;
    std::uint64_t offset = 0, length = 0;
  };
  std::vector<Range> ranges;  // requested from the object store

  static constexpr std::size_t kRangesMax = 1'000;
  /// Adds what `more` tells; of all ranges, the first thousand are kept.
  void Add(const ReadExplanation& more);
};

inline void ReadExplanation::Add(const ReadExplanation& more) {
  bytes.tail += more.bytes.tail;
  bytes.wal += more.bytes.wal;
  bytes.block_cache += more.bytes.block_cache;
  bytes.segment_cache += more.bytes.segment_cache;
  bytes.object_store += more.bytes.object_store;
  prefetched += more.prefetched;
  requests += more.requests;
  shared += more.shared;
  wait += more.wait;
  wait_by_cause.sync += more.wait_by_cause.sync;
  wait_by_cause.store += more.wait_by_cause.store;
  wait_by_cause.shared += more.wait_by_cause.shared;
  wait_by_cause.memory += more.wait_by_cause.memory;
  wait_by_cause.cache += more.wait_by_cause.cache;
  cost_usd += more.cost_usd;
  for (const Range& range : more.ranges)
    if (ranges.size() < kRangesMax) ranges.push_back(range);
}

struct ReadResult {
  std::vector<RecordView> records;
  Offset next;            // where to go on
  Offset high_watermark;  // the partition's visible end
  Offset log_start;
  std::vector<DamagedRange> skipped;  // under OnDamage::kSkip
  ReadExplanation explanation;
};

/// The same as whole batches, undecoded: contiguous, ascending, each slice one RecordBatch v2. What a server sends on.
struct BatchReadResult {
  std::vector<SharedBytes> batches;
  Offset next, high_watermark, log_start;
  std::vector<DamagedRange> skipped;
  ReadExplanation explanation;
};

struct PartitionOffsets {
  Offset log_start, hot_start, tiered_end, durable_end, log_end;
};

struct PartitionDescription {
  PartitionId partition;
  PartitionOffsets offsets;
  std::uint64_t bytes_local = 0, bytes_object = 0, segments = 0;
  std::uint64_t upload_pending_bytes = 0;
  std::optional<BackgroundFailure> upload_failure;  // while uploads of it fail
  std::vector<DamagedRange> damage;                 // found when it was recovered: reads of it answer kCorruption
  std::optional<Error> broken;                      // it could not be recovered: every call answers this
};

struct TopicDescription {
  std::string name, id;
  TopicOptions options;
  std::vector<PartitionDescription> partitions;
};

/// One visible segment: [base, end) of a partition lies in bytes [byte_begin, byte_begin + byte_size) of an object. A
/// gap has no object and no bytes: its records are lost for good, and reads of it answer kCorruption.
struct SegmentDescription {
  TopicPartition partition;
  Offset base, end;
  std::string object;  // its key in the object store
  std::uint64_t byte_begin = 0, byte_size = 0;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  [[nodiscard]] bool is_gap() const { return object.empty(); }
};

struct CursorDescription {
  TopicPartition partition;
  std::string name;
  Offset position;
  std::uint64_t unread = 0;
};

struct GroupPosition {
  TopicPartition partition;
  Offset position;
  std::uint64_t lag = 0;
};

struct CacheStats {
  std::uint64_t bytes = 0, bytes_max = 0, entries = 0, hits = 0, misses = 0, evictions = 0, wasted_prefetch = 0;
};

struct EngineStats {
  BytesBySource read;
  CacheStats block_cache, segment_cache;
  std::uint64_t appends = 0, appended_bytes = 0, wal_syncs = 0, wal_bytes = 0, upload_pending_bytes = 0;
  std::uint64_t object_puts = 0, object_gets = 0, object_lists = 0, prefetch_used_bytes = 0, prefetch_wasted_bytes = 0;
  std::uint64_t read_memory_bytes = 0, corruptions = 0;
  std::uint64_t wal_index_bytes = 0;  // memory, see wal_index_memory_max
  std::string io_path;                // how the WAL writes here: "staging ring, direct I/O" or a fallback
  std::optional<BackgroundFailure> upload_failure, upkeep_failure;  // while they last, of any partition
  std::optional<BackgroundFailure> cache_failure;                   // why the disk cache is off, or left alone for now
  std::uint64_t damaged_partitions = 0, broken_partitions = 0;      // as recovery found them
  std::uint64_t positions_corrected = 0;                            // of cursors and groups, since this engine opened
  bool clock_doubted = false;                                       // retention by age waits
  bool read_only = false;                                           // as EngineOptions say
};

/// What Engine::Maintain did.
struct MaintenanceReport {
  std::uint64_t uploaded_bytes = 0, records_retired = 0, objects_deleted = 0;
  bool finished = true;  // false: its time was over and more is due
};

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
