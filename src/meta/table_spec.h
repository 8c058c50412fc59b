// One description per table: its number and name, its columns in the order in which they are hashed and stored, its
// key. From it come the SQL texts, their binding and reading (sqlite_tables.h), the CRC and the bytes of a row and of a
// key (row_codec.h).
//
// A visitor takes `Column(name, field)` for each column, and `Trailing(name, field)` for one that came later: while it
// is 0 it is null in SQL and not hashed, so that older rows stand as they are. `Following(name, field, is_there)`: one
// that came with a trailing column and is there when that is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/bytes.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// Numbers in the CRC and before keys; never reused.
enum class MetadataTable : std::uint8_t {
  kStore = 1,
  kTopics = 2,
  kPartitions = 3,
  kObjects = 4,
  kSegments = 5,
  kPositions = 6,
  kRemovals = 7,
  kChanges = 8,  // of the stores themselves: no row of the seam
  kEpochs = 9,
  kGroups = 12,
  kGroupMembers = 13,
};

// A field as a cell: an integer, an integer or null, or bytes.
template <class T>
concept StrongNumber = requires { typename T::rep; };
template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T>
std::int64_t CellOf(T value) {
  return static_cast<std::int64_t>(value);
}
template <StrongNumber T>
std::int64_t CellOf(T value) {
  return std::int64_t{value.value()};
}
inline std::span<const std::byte> CellOf(const std::string& text) { return AsBytes(text); }
inline std::span<const std::byte> CellOf(const ObjectId& id) { return std::as_bytes(std::span(id)); }
inline std::optional<std::int64_t> CellOf(const std::optional<std::chrono::milliseconds>& value) {
  return value ? std::optional(std::int64_t{value->count()}) : std::nullopt;
}
inline std::optional<std::int64_t> CellOf(const std::optional<LeaderEpoch>& value) {
  return value ? std::optional(std::int64_t{value->value()}) : std::nullopt;
}
inline std::optional<std::int64_t> CellOf(const std::optional<std::uint64_t>& value) {
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

// A cell into a field. What does not fit is cut; the row's CRC then tells.
template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T>
void SetCell(T& field, std::int64_t cell) {
  field = static_cast<T>(cell);
}
template <StrongNumber T>
void SetCell(T& field, std::int64_t cell) {
  field = T(static_cast<typename T::rep>(cell));
}
inline void SetCell(std::string& field, std::span<const std::byte> cell) { field = AsText(cell); }
inline void SetCell(ObjectId& field, std::span<const std::byte> cell) {
  field = {};
  std::ranges::copy(cell.first(std::min(cell.size(), field.size())), std::as_writable_bytes(std::span(field)).begin());
}
inline void SetCell(std::optional<std::chrono::milliseconds>& field, std::optional<std::int64_t> cell) {
  field = cell ? std::optional(std::chrono::milliseconds(*cell)) : std::nullopt;
}
inline void SetCell(std::optional<LeaderEpoch>& field, std::optional<std::int64_t> cell) {
  field = cell ? std::optional(LeaderEpoch(static_cast<LeaderEpoch::rep>(*cell))) : std::nullopt;
}
inline void SetCell(std::optional<std::uint64_t>& field, std::optional<std::int64_t> cell) {
  field = cell ? std::optional(static_cast<std::uint64_t>(*cell)) : std::nullopt;
}

// Keys. `Row` is the table's; `kSecond`: not the key by which rows are written.
template <class Key>
struct KeySpec;

template <class Row, bool second = false>
struct KeyOfTable {
  using RowType = Row;
  static constexpr bool kSecond = second;
};

template <>
struct KeySpec<StoreKey> : KeyOfTable<StoreRow> {
  static void Columns(auto& key, auto&& visit) { visit.Column("name", key.name); }
};
template <>
struct KeySpec<TopicKey> : KeyOfTable<TopicRow> {
  static void Columns(auto& key, auto&& visit) { visit.Column("id", key.id); }
};
template <>
struct KeySpec<TopicNameKey> : KeyOfTable<TopicRow, true> {
  static void Columns(auto& key, auto&& visit) { visit.Column("name", key.name); }
};
template <>
struct KeySpec<PartitionKey> : KeyOfTable<PartitionRow> {
  static void Columns(auto& key, auto&& visit) {
    visit.Column("topic", key.topic);
    visit.Column("partition", key.partition);
  }
};
template <>
struct KeySpec<ObjectKey> : KeyOfTable<ObjectRow> {
  static void Columns(auto& key, auto&& visit) { visit.Column("id", key.id); }
};
template <>
struct KeySpec<ObjectAgeKey> : KeyOfTable<ObjectRow, true> {
  static void Columns(auto& key, auto&& visit) {
    visit.Column("state", key.state);
    visit.Column("changed_ms", key.changed_ms);
    visit.Column("id", key.id);
  }
};
template <>
struct KeySpec<SegmentEndKey> : KeyOfTable<SegmentRow> {
  static void Columns(auto& key, auto&& visit) {
    KeySpec<PartitionKey>::Columns(key.partition, visit);
    visit.Column("end", key.end);
  }
};
template <>
struct KeySpec<PositionKey> : KeyOfTable<PositionRow> {
  static void Columns(auto& key, auto&& visit) {
    visit.Column("group_name", key.group);
    KeySpec<PartitionKey>::Columns(key.partition, visit);
  }
};
template <>
struct KeySpec<GroupKey> : KeyOfTable<GroupRow> {
  static void Columns(auto& key, auto&& visit) { visit.Column("name", key.name); }
};
template <>
struct KeySpec<GroupMemberKey> : KeyOfTable<GroupMemberRow> {
  static void Columns(auto& key, auto&& visit) {
    visit.Column("group_name", key.group);
    visit.Column("member", key.member);
  }
};
template <>
struct KeySpec<RemovalKey> : KeyOfTable<RemovalRow> {
  static void Columns(auto& key, auto&& visit) { visit.Column("topic", key.topic); }
};
template <>
struct KeySpec<EpochKey> : KeyOfTable<EpochRow> {
  static void Columns(auto& key, auto&& visit) {
    KeySpec<PartitionKey>::Columns(key.partition, visit);
    visit.Column("epoch", key.epoch);
  }
};

// Tables.
template <class Row>
struct TableSpec;

template <>
struct TableSpec<StoreRow> {
  static constexpr MetadataTable kTable = MetadataTable::kStore;
  static constexpr std::string_view kName = "store";
  static StoreKey KeyOf(const StoreRow& row) { return {row.name}; }
  static void Columns(auto& row, auto&& visit) {
    visit.Column("name", row.name);
    visit.Column("number", row.number);
    visit.Column("text", row.text);
  }
};

template <>
struct TableSpec<TopicRow> {
  static constexpr MetadataTable kTable = MetadataTable::kTopics;
  static constexpr std::string_view kName = "topics";
  static TopicKey KeyOf(const TopicRow& row) { return {row.id}; }
  static TopicNameKey SecondKeyOf(const TopicRow& row) { return {row.name}; }
  static void Columns(auto& row, auto&& visit) {
    visit.Column("id", row.id);
    visit.Column("uuid", row.uuid);
    visit.Column("name", row.name);
    visit.Column("partitions", row.options.partitions);
    visit.Column("retention_ms", row.options.retention_time);
    visit.Column("retention_bytes", row.options.retention_bytes);
    visit.Column("durability", row.options.durability);
    visit.Column("cleanup", row.options.cleanup);
    visit.Column("created_ms", row.created_ms);
  }
};

template <>
struct TableSpec<PartitionRow> {
  static constexpr MetadataTable kTable = MetadataTable::kPartitions;
  static constexpr std::string_view kName = "partitions";
  static PartitionKey KeyOf(const PartitionRow& row) { return row.key; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<PartitionKey>::Columns(row.key, visit);
    visit.Column("epoch", row.epoch);
    visit.Column("log_start", row.log_start);
    visit.Column("tiered_end", row.tiered_end);
    visit.Column("segments", row.segments);
    visit.Column("segment_bytes", row.segment_bytes);
  }
};

template <>
struct TableSpec<ObjectRow> {
  static constexpr MetadataTable kTable = MetadataTable::kObjects;
  static constexpr std::string_view kName = "objects";
  static ObjectKey KeyOf(const ObjectRow& row) { return {row.id}; }
  static ObjectAgeKey SecondKeyOf(const ObjectRow& row) { return {row.state, row.changed_ms, row.id}; }
  static void Columns(auto& row, auto&& visit) {
    visit.Column("id", row.id);
    visit.Column("key", row.key);
    visit.Column("size_bytes", row.size_bytes);
    visit.Column("state", row.state);
    visit.Column("changed_ms", row.changed_ms);
    visit.Trailing("segments", row.segments);
  }
};

template <>
struct TableSpec<SegmentRow> {
  static constexpr MetadataTable kTable = MetadataTable::kSegments;
  static constexpr std::string_view kName = "segments";
  static SegmentEndKey KeyOf(const SegmentRow& row) { return {row.partition, row.end}; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<PartitionKey>::Columns(row.partition, visit);
    visit.Column("base", row.base);
    visit.Column("end", row.end);
    visit.Column("object", row.object);
    visit.Column("byte_begin", row.byte_begin);
    visit.Column("byte_size", row.byte_size);
    visit.Column("records", row.records);
    visit.Column("timestamp_min_ms", row.timestamp_min_ms);
    visit.Column("timestamp_max_ms", row.timestamp_max_ms);
    visit.Trailing("committed_ms", row.committed_ms);
  }
};

template <>
struct TableSpec<PositionRow> {
  static constexpr MetadataTable kTable = MetadataTable::kPositions;
  static constexpr std::string_view kName = "positions";
  static PositionKey KeyOf(const PositionRow& row) { return row.key; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<PositionKey>::Columns(row.key, visit);
    visit.Column("position", row.position);
    visit.Trailing("committed_ms", row.committed_ms);
    visit.Following("leader_epoch", row.leader_epoch, row.committed_ms != 0);
    visit.Following("metadata", row.metadata, row.committed_ms != 0);
  }
};

template <>
struct TableSpec<GroupRow> {
  static constexpr MetadataTable kTable = MetadataTable::kGroups;
  static constexpr std::string_view kName = "consumer_groups";
  static GroupKey KeyOf(const GroupRow& row) { return {row.name}; }
  static void Columns(auto& row, auto&& visit) {
    visit.Column("name", row.name);
    visit.Column("protocol_type", row.protocol_type);
    visit.Column("protocol", row.protocol);
    visit.Column("generation", row.generation);
    visit.Column("leader", row.leader);
    visit.Column("empty_since_ms", row.empty_since_ms);
  }
};

template <>
struct TableSpec<GroupMemberRow> {
  static constexpr MetadataTable kTable = MetadataTable::kGroupMembers;
  static constexpr std::string_view kName = "group_members";
  static GroupMemberKey KeyOf(const GroupMemberRow& row) { return row.key; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<GroupMemberKey>::Columns(row.key, visit);
    visit.Column("place", row.place);
    visit.Column("instance", row.instance);
    visit.Column("client_id", row.client_id);
    visit.Column("client_host", row.client_host);
    visit.Column("session_timeout_ms", row.session_timeout_ms);
    visit.Column("rebalance_timeout_ms", row.rebalance_timeout_ms);
    visit.Column("metadata", row.metadata);
    visit.Column("assignment", row.assignment);
  }
};

template <>
struct TableSpec<RemovalRow> {
  static constexpr MetadataTable kTable = MetadataTable::kRemovals;
  static constexpr std::string_view kName = "removals";
  static RemovalKey KeyOf(const RemovalRow& row) { return {row.topic}; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<RemovalKey>::Columns(row, visit);
    visit.Column("removed_ms", row.removed_ms);
  }
};

template <>
struct TableSpec<EpochRow> {
  static constexpr MetadataTable kTable = MetadataTable::kEpochs;
  static constexpr std::string_view kName = "epochs";
  static EpochKey KeyOf(const EpochRow& row) { return {row.partition, row.epoch}; }
  static void Columns(auto& row, auto&& visit) {
    KeySpec<PartitionKey>::Columns(row.partition, visit);
    visit.Column("epoch", row.epoch);
    visit.Column("first", row.first);
  }
};

/// What one commit changed: its keys one after the other (EncodeKey), the last of them numbered `last`.
struct CommitRow {
  ChangeNumber last;
  std::int64_t count = 0, committed_ms = 0;
  std::string keys;
};

template <>
struct TableSpec<CommitRow> {
  static constexpr MetadataTable kTable = MetadataTable::kChanges;
  static constexpr std::string_view kName = "changes";
  static void Columns(auto& row, auto&& visit) {
    visit.Column("last", row.last);
    visit.Column("count", row.count);
    visit.Column("committed_ms", row.committed_ms);
    visit.Column("keys", row.keys);
  }
};

template <class Row>
concept HasSecondKey = requires(const Row& row) { TableSpec<Row>::SecondKeyOf(row); };

/// The key by which a row is written.
inline MetadataKey KeyOf(const MetadataRow& row) {
  return std::visit([](const auto& each) { return MetadataKey(TableSpec<std::decay_t<decltype(each)>>::KeyOf(each)); },
                    row);
}

}  // namespace millrace
