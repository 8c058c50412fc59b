// The seam of the metadata store: what exists and where, as rows of a few tables. The store keeps rows and knows no
// rule: what may follow what is decided above it, on rows that were read, and the only write says which rows the
// decision rests on.
//
//   a rule: rows ──► (expected, writes) ──► Commit: are the expected rows still so? ──► all writes, or none
//
// The rules are in src/meta: TopicCatalog, SegmentCatalog, CommittedOffsets, Ownership.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "millrace/options.h"
#include "millrace/result.h"
#include "millrace/strong.h"
#include "millrace/types.h"

namespace millrace {

/// A number and a text by name: "identity", "next_topic" (the topic id given last).
struct StoreRow {
  std::string name;
  std::int64_t number = 0;
  std::string text;
  friend bool operator==(const StoreRow&, const StoreRow&) = default;
};

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
  LeaderEpoch epoch;                              // the present one, of the present owner
  Offset log_start;                               // records below are gone
  Offset tiered_end;                              // records below are in segments (or gone); only grows
  std::uint64_t segments = 0, segment_bytes = 0;  // totals over visible segments
  friend bool operator==(const PartitionRow&, const PartitionRow&) = default;
};

/// Unique per attempt: generation, nonce and number of the attempt; 128 random bits in earlier releases.
using ObjectId = std::array<std::uint8_t, 16>;

enum class ObjectState { kPrepared, kCommitted, kDeleting };

struct ObjectRow {
  ObjectId id{};
  std::string key;  // in the object store
  std::uint64_t size_bytes = 0;
  ObjectState state = ObjectState::kPrepared;
  std::int64_t changed_ms = 0;  // wall time of the last change of state
  std::uint64_t segments = 0;   // rows of segments that lie in it
  friend bool operator==(const ObjectRow&, const ObjectRow&) = default;
};

/// `byte_begin` of a gap whose offsets were lost with a disk, or never given: a reader steps over it, and is told. Of
/// any other gap it is 0, and a reader is stopped by it as by damage.
inline constexpr std::uint64_t kGapOfLostDisk = 1;

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
  [[nodiscard]] bool is_lost_disk() const { return is_gap() && byte_begin == kGapOfLostDisk; }
  friend bool operator==(const SegmentRow&, const SegmentRow&) = default;
};

struct PositionKey {
  std::string group;
  PartitionKey partition;
  friend auto operator<=>(const PositionKey&, const PositionKey&) = default;
};

struct PositionRow {
  PositionKey key;
  Offset position;
  // What came with it from a Kafka client; a row that a consumer of the library wrote has nothing of it.
  std::int64_t committed_ms = 0;  // wall time; 0: the two below are not there either
  std::optional<LeaderEpoch> leader_epoch;
  std::string metadata;  // opaque
  friend bool operator==(const PositionRow&, const PositionRow&) = default;
};

/// A group of Kafka's in its last durable generation.
struct GroupRow {
  std::string name;
  std::string protocol_type, protocol;
  std::int32_t generation = 0;
  std::string leader;               // a member's id; empty without members
  std::int64_t empty_since_ms = 0;  // wall time; 0 while it has members
  friend bool operator==(const GroupRow&, const GroupRow&) = default;
};

struct GroupMemberKey {
  std::string group, member;
  friend auto operator<=>(const GroupMemberKey&, const GroupMemberKey&) = default;
};

/// A member of a group's last durable generation.
struct GroupMemberRow {
  GroupMemberKey key;
  std::int64_t place = 0;  // in the order of joining
  std::string instance;    // empty: it is not static
  std::string client_id, client_host;
  std::int64_t session_timeout_ms = 0, rebalance_timeout_ms = 0;
  std::string metadata, assignment;  // opaque
  friend bool operator==(const GroupMemberRow&, const GroupMemberRow&) = default;
};

/// A topic that is gone and of which not all segments and positions are removed yet.
struct RemovalRow {
  TopicId topic;
  std::int64_t removed_ms = 0;
  friend bool operator==(const RemovalRow&, const RemovalRow&) = default;
};

/// Where an epoch of a partition began: its first record is the first at or past `first`. The last row is of the
/// present epoch; a partition without rows has been in it from its beginning.
struct EpochRow {
  PartitionKey partition;
  LeaderEpoch epoch;
  Offset first;
  friend bool operator==(const EpochRow&, const EpochRow&) = default;
};

// Keys of the tables. Rows of a table are ordered by key: its fields from the first on, numbers as numbers, texts and
// ids by their bytes.
struct StoreKey {
  std::string name;
  friend auto operator<=>(const StoreKey&, const StoreKey&) = default;
};
struct TopicKey {
  TopicId id;
  friend auto operator<=>(const TopicKey&, const TopicKey&) = default;
};
struct ObjectKey {
  ObjectId id{};
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};
/// Segments are keyed by their end, so that the one that covers an offset is the first with a greater end.
struct SegmentEndKey {
  PartitionKey partition;
  Offset end;
  friend auto operator<=>(const SegmentEndKey&, const SegmentEndKey&) = default;
};
struct GroupKey {
  std::string name;
  friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};
struct RemovalKey {
  TopicId topic;
  friend auto operator<=>(const RemovalKey&, const RemovalKey&) = default;
};
struct EpochKey {
  PartitionKey partition;
  LeaderEpoch epoch;
  friend auto operator<=>(const EpochKey&, const EpochKey&) = default;
};
/// The second order of topics; no two have the same name. For Get and Scan only.
struct TopicNameKey {
  std::string name;
  friend auto operator<=>(const TopicNameKey&, const TopicNameKey&) = default;
};
/// The second order of objects. For Get and Scan only.
struct ObjectAgeKey {
  ObjectState state = ObjectState::kPrepared;
  std::int64_t changed_ms = 0;
  ObjectId id{};
  friend auto operator<=>(const ObjectAgeKey&, const ObjectAgeKey&) = default;
};
/// Behind every key of a table. For the end of a Scan only.
struct EndOfTable {
  friend auto operator<=>(const EndOfTable&, const EndOfTable&) = default;
};

using MetadataRow = std::variant<StoreRow, TopicRow, PartitionRow, ObjectRow, SegmentRow, PositionRow, RemovalRow,
                                 EpochRow, GroupRow, GroupMemberRow>;
using MetadataKey = std::variant<StoreKey, TopicKey, PartitionKey, ObjectKey, SegmentEndKey, PositionKey, RemovalKey,
                                 EpochKey, GroupKey, GroupMemberKey, TopicNameKey, ObjectAgeKey, EndOfTable>;

struct MetadataWrite {
  enum class Kind {
    kInsert,  // the key must be absent
    kPut,     // whatever was there
    kErase    // the row of this row's key; absent is as good
  };
  Kind kind = Kind::kPut;
  MetadataRow row;
};

/// Numbers of changes, without holes, from 1 on.
using ChangeNumber = Strong<struct ChangeNumberTag, std::int64_t>;

/// One row was written or erased; which of it, a Get tells.
struct MetadataChange {
  ChangeNumber number;
  MetadataKey key;
  friend bool operator==(const MetadataChange&, const MetadataChange&) = default;
};

/// Six calls, each one transaction: whole or not at all. Safe from any thread; calls block. Errors of every call:
/// kUnavailable (locked, unreachable: retry; of a Commit: its outcome is unknown), kCorruption (a row that fails its
/// CRC), kOutOfSpace, kClosed, kInvalidArgument (a key that this call does not take).
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  /// The rows of `keys`, in their order, all of one moment; none where there is no row. Cost: one look-up a key.
  virtual Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) = 0;
  /// Rows with `from` <= key < `to` of one table, in the order of these keys, the first `max` of them. Cost: one
  /// look-up, and what it returns.
  virtual Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) = 0;
  /// The only write. All of `expected` are as given and no kInsert meets a row: all writes happen, in their order, and
  /// the number of the last change is returned. Otherwise nothing happens, and it returns none. Positions, groups and
  /// their members are no changes: a commit of them alone returns the last number as it was. Cost: one synced
  /// transaction.
  virtual Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                                     std::span<const MetadataWrite> writes) = 0;
  /// Changes behind `after`, in the order of their commits, the first `max` of them; empty at the end. They are kept
  /// for an hour and at most kChangesKept of them (some more for a moment). kOutOfRange: those behind `after` are not
  /// all kept any more, or the store has never come so far; the caller reads what it needs anew.
  virtual Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) = 0;
  /// The store's wall time, milliseconds since 1970.
  virtual Result<std::int64_t> NowMs() = 0;
  /// Every later call is kClosed. A second call does nothing.
  virtual Result<void> Close() = 0;
};

inline constexpr std::int64_t kChangesKept = 100'000;
inline constexpr std::int64_t kChangesKeptMs = 3'600'000;

}  // namespace millrace
