// Rows and keys as bytes, by their TableSpec.
//
//   row = table:u8 column* crc:u32 LE         crc = CRC-32C of all before it: the same as the column `crc` in SQL
//   column = 0x00 (null) | 0x01 value:i64 LE | 0x02 length:u32 LE bytes
//   key = table:u8 (+ 0x80: second order) field*       the order of the bytes is the order of the keys
//   field = value:i64 BE, sign bit turned | bytes, each 0x00 as 0x00 0xff, then 0x00 0x00
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/crc32c.h"
#include "meta/table_spec.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

enum class ColumnKind : std::uint8_t { kNull = 0, kInteger = 1, kBlob = 2 };

/// The CRC of a row, column by column, without bytes in between.
class RowCrc {
 public:
  explicit RowCrc(MetadataTable table);
  RowCrc& Add(std::int64_t value);
  RowCrc& Add(std::optional<std::int64_t> value);
  RowCrc& Add(std::span<const std::byte> blob);
  void Column(const char* /*name*/, const auto& field) { Add(CellOf(field)); }
  void Trailing(const char* /*name*/, const auto& field) {
    if (CellOf(field) != 0) Add(CellOf(field));
  }
  void Following(const char* /*name*/, const auto& field, bool is_there) {
    if (is_there) Add(CellOf(field));
  }
  [[nodiscard]] std::int64_t value() const { return crc_; }

 private:
  std::uint32_t crc_;
};

template <class Row>
std::int64_t CrcOf(const Row& row) {
  RowCrc crc(TableSpec<Row>::kTable);
  TableSpec<Row>::Columns(row, crc);
  return crc.value();
}

std::string EncodeRow(const MetadataRow& row);
/// kCorruption: bytes that are no row, or fail their CRC.
Result<MetadataRow> DecodeRow(std::span<const std::byte> bytes);

/// EndOfTable has no bytes of its own: see EndOfOrder.
std::string EncodeKey(const MetadataKey& key);
/// Takes one key off the front. kCorruption: what is there is no key.
Result<MetadataKey> DecodeKey(std::span<const std::byte>& bytes);
/// The first bytes behind all keys of the same order as `key`.
std::string EndOfOrder(const MetadataKey& key);
/// The row's place in the second order of its table, if that has one.
std::optional<std::string> EncodeSecondKey(const MetadataRow& row);

/// "segments topic=7 partition=2 end=480", for messages.
std::string KeyText(const MetadataKey& key);

}  // namespace millrace
