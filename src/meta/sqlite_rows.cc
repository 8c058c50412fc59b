#include "meta/sqlite_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "meta/metadata_rows.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

enum class ColumnKind : std::uint8_t { kNull = 0, kInteger = 1, kBlob = 2 };

std::span<const std::byte> IdBytes(const ObjectId& id) { return std::as_bytes(std::span(id)); }

std::int64_t AsInteger(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t AsCount(std::int64_t value) { return static_cast<std::uint64_t>(value); }

Result<void> CheckRow(const SqliteDatabase& database, const RowCrc& found, std::int64_t stored, std::string_view row) {
  if (found.value() == stored) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("metadata: {}: row of {} fails its CRC (stored {:08x}, found {:08x})",
                           database.path().string(), row, stored, found.value()))
      .WithDamage({{}, {}, {}, database.path().string(), 0, 0});
}

RowCrc CrcOf(const StoreRow& row) {
  return RowCrc(SqliteTable::kStore).Add(AsBytes(row.name)).Add(row.number).Add(AsBytes(row.text));
}

std::optional<std::int64_t> RetentionMs(const TopicOptions& options) {
  if (!options.retention_time) return std::nullopt;
  return options.retention_time->count();
}

std::optional<std::int64_t> RetentionBytes(const TopicOptions& options) {
  if (!options.retention_bytes) return std::nullopt;
  return AsInteger(*options.retention_bytes);
}

RowCrc CrcOf(const TopicRow& row) {
  return RowCrc(SqliteTable::kTopics)
      .Add(row.id.value())
      .Add(AsBytes(row.uuid))
      .Add(AsBytes(row.name))
      .Add(std::int64_t{row.options.partitions})
      .Add(RetentionMs(row.options))
      .Add(RetentionBytes(row.options))
      .Add(static_cast<std::int64_t>(row.options.durability))
      .Add(static_cast<std::int64_t>(row.options.cleanup))
      .Add(row.created_ms);
}

RowCrc CrcOf(const PartitionRow& row) {
  return RowCrc(SqliteTable::kPartitions)
      .Add(row.key.topic.value())
      .Add(std::int64_t{row.key.partition.value()})
      .Add(std::int64_t{row.epoch.value()})
      .Add(row.log_start.value())
      .Add(row.tiered_end.value())
      .Add(AsInteger(row.segments))
      .Add(AsInteger(row.segment_bytes));
}

RowCrc CrcOf(const ObjectRow& row) {
  return RowCrc(SqliteTable::kObjects)
      .Add(IdBytes(row.id))
      .Add(AsBytes(row.key))
      .Add(AsInteger(row.size_bytes))
      .Add(static_cast<std::int64_t>(row.state))
      .Add(row.changed_ms);
}

/// The time of the commit came later: a row without one is hashed as it was before there was such a column.
RowCrc CrcOf(const SegmentRow& row) {
  RowCrc crc(SqliteTable::kSegments);
  crc.Add(row.partition.topic.value())
      .Add(std::int64_t{row.partition.partition.value()})
      .Add(row.base.value())
      .Add(row.end.value())
      .Add(IdBytes(row.object))
      .Add(AsInteger(row.byte_begin))
      .Add(AsInteger(row.byte_size))
      .Add(AsInteger(row.records))
      .Add(row.timestamp_min_ms)
      .Add(row.timestamp_max_ms);
  if (row.committed_ms != 0) crc.Add(row.committed_ms);
  return crc;
}

RowCrc CrcOf(const PositionRow& row) {
  return RowCrc(SqliteTable::kPositions)
      .Add(AsBytes(row.key.group))
      .Add(row.key.partition.topic.value())
      .Add(std::int64_t{row.key.partition.partition.value()})
      .Add(row.position.value());
}

RowCrc CrcOf(const RemovalRow& row) {
  return RowCrc(SqliteTable::kRemovals).Add(row.topic.value()).Add(row.removed_ms);
}

ObjectId ReadId(const SqliteStatement& statement, int column) {
  ObjectId id{};
  const auto bytes = std::as_writable_bytes(std::span(id));
  const std::span<const std::byte> blob = statement.Blob(column);
  std::copy_n(blob.begin(), std::min(blob.size(), bytes.size()), bytes.begin());
  return id;
}

PartitionKey ReadKey(const SqliteStatement& statement, int column) {
  return {TopicId(statement.Integer(column)), PartitionId(static_cast<std::int32_t>(statement.Integer(column + 1)))};
}

}  // namespace

RowCrc::RowCrc(SqliteTable table) : crc_(Crc32c(std::as_bytes(std::span(&table, 1)))) {}

RowCrc& RowCrc::Add(std::int64_t value) {
  std::array<std::byte, 9> column{static_cast<std::byte>(ColumnKind::kInteger)};
  PutLe(column.data() + 1, value);
  crc_ = Crc32c(column, crc_);
  return *this;
}

RowCrc& RowCrc::Add(std::optional<std::int64_t> value) {
  if (value) return Add(*value);
  const std::array<std::byte, 1> column{static_cast<std::byte>(ColumnKind::kNull)};
  crc_ = Crc32c(column, crc_);
  return *this;
}

RowCrc& RowCrc::Add(std::span<const std::byte> blob) {
  std::array<std::byte, 5> column{static_cast<std::byte>(ColumnKind::kBlob)};
  PutLe(column.data() + 1, static_cast<std::uint32_t>(blob.size()));
  crc_ = Crc32c(blob, Crc32c(column, crc_));
  return *this;
}

void Bind(SqliteStatement& statement, const StoreRow& row) {
  statement.Bind(AsBytes(row.name)).Bind(row.number).Bind(AsBytes(row.text)).Bind(CrcOf(row).value());
}

void Bind(SqliteStatement& statement, const TopicRow& row) {
  statement.Bind(row.id.value())
      .Bind(AsBytes(row.uuid))
      .Bind(AsBytes(row.name))
      .Bind(std::int64_t{row.options.partitions})
      .Bind(RetentionMs(row.options))
      .Bind(RetentionBytes(row.options))
      .Bind(static_cast<std::int64_t>(row.options.durability))
      .Bind(static_cast<std::int64_t>(row.options.cleanup))
      .Bind(row.created_ms)
      .Bind(CrcOf(row).value());
}

void Bind(SqliteStatement& statement, const PartitionRow& row) {
  statement.Bind(row.key.topic.value())
      .Bind(std::int64_t{row.key.partition.value()})
      .Bind(std::int64_t{row.epoch.value()})
      .Bind(row.log_start.value())
      .Bind(row.tiered_end.value())
      .Bind(AsInteger(row.segments))
      .Bind(AsInteger(row.segment_bytes))
      .Bind(CrcOf(row).value());
}

void Bind(SqliteStatement& statement, const ObjectRow& row) {
  statement.Bind(IdBytes(row.id))
      .Bind(AsBytes(row.key))
      .Bind(AsInteger(row.size_bytes))
      .Bind(static_cast<std::int64_t>(row.state))
      .Bind(row.changed_ms)
      .Bind(CrcOf(row).value());
}

void Bind(SqliteStatement& statement, const SegmentRow& row) {
  statement.Bind(row.partition.topic.value())
      .Bind(std::int64_t{row.partition.partition.value()})
      .Bind(row.base.value())
      .Bind(row.end.value())
      .Bind(IdBytes(row.object))
      .Bind(AsInteger(row.byte_begin))
      .Bind(AsInteger(row.byte_size))
      .Bind(AsInteger(row.records))
      .Bind(row.timestamp_min_ms)
      .Bind(row.timestamp_max_ms)
      .Bind(CrcOf(row).value())
      .Bind(row.committed_ms == 0 ? std::nullopt : std::optional(row.committed_ms));
}

void Bind(SqliteStatement& statement, const PositionRow& row) {
  statement.Bind(AsBytes(row.key.group))
      .Bind(row.key.partition.topic.value())
      .Bind(std::int64_t{row.key.partition.partition.value()})
      .Bind(row.position.value())
      .Bind(CrcOf(row).value());
}

void Bind(SqliteStatement& statement, const RemovalRow& row) {
  statement.Bind(row.topic.value()).Bind(row.removed_ms).Bind(CrcOf(row).value());
}

Result<StoreRow> ReadStoreRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const StoreRow row{std::string(AsText(statement.Blob(0))), statement.Integer(1),
                     std::string(AsText(statement.Blob(2)))};
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(3), "store"));
  return row;
}

Result<TopicRow> ReadTopicRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  TopicRow row;
  row.id = TopicId(statement.Integer(0));
  row.uuid = AsText(statement.Blob(1));
  row.name = AsText(statement.Blob(2));
  row.options.partitions = static_cast<std::int32_t>(statement.Integer(3));
  if (!statement.IsNull(4)) row.options.retention_time = std::chrono::milliseconds(statement.Integer(4));
  if (!statement.IsNull(5)) row.options.retention_bytes = AsCount(statement.Integer(5));
  row.options.durability = static_cast<Durability>(statement.Integer(6));
  row.options.cleanup = static_cast<Cleanup>(statement.Integer(7));
  row.created_ms = statement.Integer(8);
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(9), fmt::format("topic {}", row.id.value())));
  return row;
}

Result<PartitionRow> ReadPartitionRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const PartitionRow row{ReadKey(statement, 0),         LeaderEpoch(static_cast<std::int32_t>(statement.Integer(2))),
                         Offset(statement.Integer(3)),  Offset(statement.Integer(4)),
                         AsCount(statement.Integer(5)), AsCount(statement.Integer(6))};
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(7), PartitionText(row.key)));
  return row;
}

Result<ObjectRow> ReadObjectRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const ObjectRow row{ReadId(statement, 0), std::string(AsText(statement.Blob(1))), AsCount(statement.Integer(2)),
                      static_cast<ObjectState>(statement.Integer(3)), statement.Integer(4)};
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(5), "object " + ObjectIdText(row.id)));
  return row;
}

Result<SegmentRow> ReadSegmentRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const SegmentRow row{ReadKey(statement, 0),         Offset(statement.Integer(2)),  Offset(statement.Integer(3)),
                       ReadId(statement, 4),          AsCount(statement.Integer(5)), AsCount(statement.Integer(6)),
                       AsCount(statement.Integer(7)), statement.Integer(8),          statement.Integer(9),
                       statement.Integer(11)};  // of a null: 0
  const RowCrc crc = CrcOf(row);
  if (crc.value() == statement.Integer(10)) return row;  // no text is built for a million good rows
  MR_TRY(CheckRow(database, crc, statement.Integer(10), "segment of " + PartitionText(row.partition)));
  return row;
}

Result<PositionRow> ReadPositionRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const PositionRow row{{std::string(AsText(statement.Blob(0))), ReadKey(statement, 1)}, Offset(statement.Integer(3))};
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(4), "position in " + PartitionText(row.key.partition)));
  return row;
}

Result<RemovalRow> ReadRemovalRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  const RemovalRow row{TopicId(statement.Integer(0)), statement.Integer(1)};
  MR_TRY(CheckRow(database, CrcOf(row), statement.Integer(2), fmt::format("removal of topic {}", row.topic.value())));
  return row;
}

}  // namespace millrace
