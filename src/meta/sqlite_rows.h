// Rows of the tables to and from statements. Each row ends in a CRC-32C over its table and all its other columns, so
// that a row stands on its own wherever the page around it came from.
//
//   crc = CRC-32C of: table number, u8 · for each column in order: integer → 1, i64 little-endian;
//         blob → 2, u32 length, bytes; null → 0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "meta/sqlite_database.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Numbers in the CRC; never reused.
enum class SqliteTable : std::uint8_t {
  kStore = 1,
  kTopics = 2,
  kPartitions = 3,
  kObjects = 4,
  kSegments = 5,
  kPositions = 6,
  kRemovals = 7
};

class RowCrc {
 public:
  explicit RowCrc(SqliteTable table);
  RowCrc& Add(std::int64_t value);
  RowCrc& Add(std::optional<std::int64_t> value);
  RowCrc& Add(std::span<const std::byte> blob);
  [[nodiscard]] std::int64_t value() const { return crc_; }

 private:
  std::uint32_t crc_;
};

/// One row of table `store`: a number and a text by name.
struct StoreRow {
  std::string name;
  std::int64_t number = 0;
  std::string text;
};

/// A topic that is gone and whose segments are not all removed yet.
struct RemovalRow {
  TopicId topic;
  std::int64_t removed_ms = 0;
};

// Bind appends all columns in the order of the table. Read takes them from column 0 on, in that order.
// Errors of Read: kCorruption, naming file, table and row.
void Bind(SqliteStatement& statement, const StoreRow& row);
void Bind(SqliteStatement& statement, const TopicRow& row);
void Bind(SqliteStatement& statement, const PartitionRow& row);
void Bind(SqliteStatement& statement, const ObjectRow& row);
void Bind(SqliteStatement& statement, const SegmentRow& row);
void Bind(SqliteStatement& statement, const PositionRow& row);
void Bind(SqliteStatement& statement, const RemovalRow& row);
Result<StoreRow> ReadStoreRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<TopicRow> ReadTopicRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<PartitionRow> ReadPartitionRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<ObjectRow> ReadObjectRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<SegmentRow> ReadSegmentRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<PositionRow> ReadPositionRow(const SqliteDatabase& database, const SqliteStatement& statement);
Result<RemovalRow> ReadRemovalRow(const SqliteDatabase& database, const SqliteStatement& statement);

}  // namespace millrace
