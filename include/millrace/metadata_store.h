// The seam of the metadata store: what exists and where. Topics, partitions, objects, segments, positions, identity.
// Every call is one transaction: it happens whole or not at all. Rows carry a CRC; a row or a table that does not agree
// with it is kCorruption.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/options.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

struct TopicRow {
  TopicId id;
  std::string uuid;  // 32 hexadecimal digits, for people and for Kafka
  std::string name;
  TopicOptions options;
  std::int64_t created_ms = 0;
  friend bool operator==(const TopicRow&, const TopicRow&);
};

/// A partition by number: what rows refer to, so that a re-created topic shares nothing with its namesake.
struct PartitionKey {
  TopicId topic;
  PartitionId partition;
  friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
};

struct PartitionRow {
  PartitionKey key;
  LeaderEpoch epoch;                              // of the present owner
  Offset log_start;                               // records below are gone
  Offset tiered_end;                              // records below are in segments (or gone); only grows
  std::uint64_t segments = 0, segment_bytes = 0;  // totals over visible segments
  friend bool operator==(const PartitionRow&, const PartitionRow&) = default;
};

/// 128 random bits; an object's key in the store is made of it, so it is unique per attempt.
using ObjectId = std::array<std::uint8_t, 16>;

enum class ObjectState { kPrepared, kCommitted, kDeleting };

struct ObjectRow {
  ObjectId id{};
  std::string key;  // in the object store
  std::uint64_t size_bytes = 0;
  ObjectState state = ObjectState::kPrepared;
  std::int64_t changed_ms = 0;  // wall time of the last change of state
  friend bool operator==(const ObjectRow&, const ObjectRow&) = default;
};

/// One visible segment: [base, end) of one partition lies in bytes [byte_begin, byte_begin + byte_size) of an object.
/// Without an object it is a gap: offsets that were given and whose records are lost, known to be so for good.
struct SegmentRow {
  PartitionKey partition;
  Offset base, end;
  ObjectId object{};
  std::uint64_t byte_begin = 0, byte_size = 0;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  std::int64_t committed_ms = 0;  // trusted wall time of the commit; 0: of a row older than this field
  /// A gap has no object (all zeros), no bytes and no records.
  [[nodiscard]] bool is_gap() const { return byte_size == 0 && object == ObjectId{}; }
  friend bool operator==(const SegmentRow&, const SegmentRow&) = default;
};

/// A segment to make visible. It must begin at the partition's tiered_end, and the epoch must be the partition's.
struct SegmentCommit {
  SegmentRow segment;
  LeaderEpoch epoch;
};

struct PositionKey {
  std::string group;
  PartitionKey partition;
  friend auto operator<=>(const PositionKey&, const PositionKey&) = default;
};

struct PositionRow {
  PositionKey key;
  Offset position;
  friend bool operator==(const PositionRow&, const PositionRow&) = default;
};

/// Safe from any thread; calls block. Errors of every call: kUnavailable (locked, unreachable: retry), kCorruption,
/// kOutOfSpace, kClosed.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // Identity: one random id kept here, in the data directory and in the object store; "" until set. Set succeeds once,
  // or with the same id.
  virtual Result<std::string> Identity() = 0;
  virtual Result<void> SetIdentity(std::string_view identity) = 0;

  // Topics. Create also makes the partition rows (epoch 0, offsets 0); kAlreadyExists by name. Alter replaces the
  // options; partitions may only grow.
  virtual Result<TopicRow> CreateTopic(std::string_view name, const TopicOptions& options, std::string_view uuid,
                                       std::int64_t now_ms) = 0;
  virtual Result<void> AlterTopic(TopicId topic, const TopicOptions& options) = 0;
  /// Removes the topic, its partitions, segments and positions; objects that lose their last segment become kDeleting.
  /// The topic is gone at once and whole; of many segments the rest may go in further transactions, so that other
  /// callers need not wait, and is taken up again after a crash. An error means that the topic is still there, or that
  /// the outcome is unknown.
  virtual Result<void> DeleteTopic(TopicId topic, std::int64_t now_ms) = 0;
  virtual Result<std::vector<TopicRow>> Topics() = 0;
  /// In partition order. kNotFound.
  virtual Result<std::vector<PartitionRow>> Partitions(TopicId topic) = 0;

  // Ownership: raises the epoch by one and returns the row; the owner by the old epoch is fenced from now on.
  virtual Result<PartitionRow> AcquireEpoch(const PartitionKey& partition) = 0;
  /// Moves log_start (and tiered_end, if log_start passes it) up to `log_start`; never down. Segments wholly below
  /// disappear; objects left with none become kDeleting. kFenced. Over many segments it may go in several transactions,
  /// each of which moves log_start over some of them.
  virtual Result<PartitionRow> AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                               std::int64_t now_ms) = 0;

  // Two-step publication: prepare, put the object, commit. Prepare is idempotent by id.
  virtual Result<void> PrepareObject(const ObjectRow& object) = 0;
  /// All or nothing: every epoch and expected base is checked (kFenced, kOutOfRange with bounds), rows inserted,
  /// tiered_end moved. Idempotent: a second commit of the same object id returns the first one's result. The rows
  /// returned are the partitions' new ones, in the order given. kNotFound if the object was not prepared. Gaps may lie
  /// among the segments; a commit of gaps alone names no object (all zeros), which then need not be prepared.
  virtual Result<std::vector<PartitionRow>> CommitSegments(const ObjectRow& object,
                                                           std::span<const SegmentCommit> segments) = 0;
  // Two-step deletion: kCommitted → kDeleting (by the calls above), then, after the grace, the object is deleted in the
  // store and forgotten here.
  virtual Result<std::vector<ObjectRow>> ObjectsIn(ObjectState state, std::int64_t changed_before_ms,
                                                   std::size_t max) = 0;
  /// Prepared and never committed: becomes kDeleting, so that a late commit fails. kAlreadyExists if it was committed
  /// meanwhile.
  virtual Result<void> AbandonObject(const ObjectId& id, std::int64_t now_ms) = 0;
  /// Forgets a kDeleting object; re-checks in the same transaction that no segment refers to it (kInternal if one
  /// does).
  virtual Result<void> ForgetObject(const ObjectId& id) = 0;
  virtual Result<std::optional<ObjectRow>> FindObject(const ObjectId& id) = 0;

  /// Segments with end > `from`, by base, at most `max`; contiguous from the first one on, or kCorruption.
  virtual Result<std::vector<SegmentRow>> Segments(const PartitionKey& partition, Offset from, std::size_t max) = 0;

  // Positions of groups. Commit is all or nothing.
  virtual Result<void> CommitPositions(std::span<const PositionRow> positions) = 0;
  virtual Result<std::vector<PositionRow>> Positions(std::string_view group) = 0;
  virtual Result<std::vector<std::string>> Groups() = 0;
  /// Success also if there was none.
  virtual Result<void> DeleteGroup(std::string_view group) = 0;

  virtual Result<void> Close() = 0;
};

}  // namespace millrace
