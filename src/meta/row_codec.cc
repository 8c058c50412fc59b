#include "meta/row_codec.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/hex.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::uint8_t kSecondOrder = 0x80;
constexpr std::size_t kCrcBytes = 4, kIntegerBytes = 8, kLengthBytes = 4;

void Append(std::string& to, std::span<const std::byte> bytes) { to += AsText(bytes); }

class RowEncoder {
 public:
  explicit RowEncoder(MetadataTable table) : bytes_(1, static_cast<char>(table)) {}
  void Column(const char* /*name*/, const auto& field) { Add(CellOf(field)); }
  void Trailing(const char* /*name*/, const auto& field) {
    if (CellOf(field) != 0) Add(CellOf(field));
  }
  void Following(const char* /*name*/, const auto& field, bool is_there) {
    if (is_there) Add(CellOf(field));
  }
  std::string Finish() && {
    std::array<std::byte, kCrcBytes> crc;
    PutLe(crc.data(), Crc32c(AsBytes(bytes_)));
    Append(bytes_, crc);
    return std::move(bytes_);
  }

 private:
  void Add(std::int64_t value) {
    std::array<std::byte, 1 + kIntegerBytes> column{static_cast<std::byte>(ColumnKind::kInteger)};
    PutLe(column.data() + 1, value);
    Append(bytes_, column);
  }
  void Add(std::optional<std::int64_t> value) {
    if (value) return Add(*value);
    bytes_ += static_cast<char>(ColumnKind::kNull);
  }
  void Add(std::span<const std::byte> blob) {
    std::array<std::byte, 1 + kLengthBytes> column{static_cast<std::byte>(ColumnKind::kBlob)};
    PutLe(column.data() + 1, static_cast<std::uint32_t>(blob.size()));
    Append(bytes_, column);
    Append(bytes_, blob);
  }

  std::string bytes_;
};

class RowDecoder {
 public:
  explicit RowDecoder(std::span<const std::byte> columns) : rest_(columns) {}
  void Column(const char* /*name*/, auto& field) {
    const auto kind = Take(1);
    if (!good_) return;
    using Cell = decltype(CellOf(field));
    switch (static_cast<ColumnKind>(kind[0])) {
      case ColumnKind::kNull:
        if constexpr (std::is_same_v<Cell, std::optional<std::int64_t>>) {
          SetCell(field, std::optional<std::int64_t>());
          return;
        }
        break;
      case ColumnKind::kInteger:
        if constexpr (!std::is_same_v<Cell, std::span<const std::byte>>) {
          const auto bytes = Take(kIntegerBytes);
          if (good_) SetCell(field, GetLe<std::int64_t>(bytes.data()));
          return;
        }
        break;
      case ColumnKind::kBlob:
        if constexpr (std::is_same_v<Cell, std::span<const std::byte>>) {
          const auto length = Take(kLengthBytes);
          if (!good_) return;
          const auto bytes = Take(GetLe<std::uint32_t>(length.data()));
          if (good_) SetCell(field, bytes);
          return;
        }
        break;
    }
    good_ = false;
  }
  void Trailing(const char* name, auto& field) {
    if (!rest_.empty()) Column(name, field);
  }
  void Following(const char* name, auto& field, bool is_there) {
    if (is_there) Column(name, field);
  }
  [[nodiscard]] bool finished() const { return good_ && rest_.empty(); }

 private:
  std::span<const std::byte> Take(std::size_t size) {
    good_ = good_ && rest_.size() >= size;
    if (!good_) return {};
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

class KeyEncoder {
 public:
  explicit KeyEncoder(std::uint8_t order) : bytes(1, static_cast<char>(order)) {}
  void Column(const char* /*name*/, const auto& field) { Add(CellOf(field)); }

  std::string bytes;

 private:
  void Add(std::int64_t value) {
    std::array<std::byte, kIntegerBytes> field;
    PutBe(field.data(), static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63));
    Append(bytes, field);
  }
  void Add(std::span<const std::byte> blob) {
    for (const char byte : AsText(blob)) {
      bytes += byte;
      if (byte == 0) bytes += '\xff';
    }
    bytes.append(2, '\0');
  }
};

class KeyDecoder {
 public:
  explicit KeyDecoder(std::span<const std::byte>& rest) : rest_(rest) {}
  void Column(const char* /*name*/, auto& field) {
    if constexpr (std::is_same_v<decltype(CellOf(field)), std::int64_t>) {
      good_ = good_ && rest_.size() >= kIntegerBytes;
      if (!good_) return;
      SetCell(field, static_cast<std::int64_t>(GetBe<std::uint64_t>(rest_.data()) ^ (std::uint64_t{1} << 63)));
      rest_ = rest_.subspan(kIntegerBytes);
    } else {
      SetCell(field, AsBytes(TakeText()));
    }
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::string TakeText() {
    std::string text;
    for (std::size_t at = 0; at + 1 < rest_.size(); ++at) {
      const std::byte byte = rest_[at];
      if (byte != std::byte{0}) {
        text += static_cast<char>(byte);
        continue;
      }
      const std::byte next = rest_[++at];
      if (next == std::byte{0}) {
        rest_ = rest_.subspan(at + 1);
        return text;
      }
      if (next != std::byte{0xff}) break;
      text += '\0';
    }
    good_ = false;
    return {};
  }

  std::span<const std::byte>& rest_;
  bool good_ = true;
};

struct KeyPrinter {
  void Column(const char* name, const auto& field) { text += fmt::format(" {}={}", name, Shown(CellOf(field))); }
  static std::string Shown(std::int64_t value) { return fmt::format("{}", value); }
  static std::string Shown(std::span<const std::byte> blob) { return ToHex(blob); }
  std::string text;
};

Error NotARow(std::string_view why) {
  return {ErrorCode::kCorruption, fmt::format("metadata: bytes of a row: {}", why)};
}

template <class Key>
constexpr std::uint8_t OrderOf() {
  const auto table = static_cast<std::uint8_t>(TableSpec<typename KeySpec<Key>::RowType>::kTable);
  return static_cast<std::uint8_t>(KeySpec<Key>::kSecond ? table | kSecondOrder : table);
}

template <class Key>
std::string Encode(const Key& key) {
  KeyEncoder encoder(OrderOf<Key>());
  KeySpec<Key>::Columns(key, encoder);
  return std::move(encoder.bytes);
}

template <class Row>
Result<MetadataRow> Decode(std::span<const std::byte> columns) {
  Row row;
  RowDecoder decoder(columns);
  TableSpec<Row>::Columns(row, decoder);
  if (!decoder.finished()) return NotARow("columns do not fit the table");
  return MetadataRow(std::move(row));
}

template <class Key>
std::optional<MetadataKey> DecodeAs(std::uint8_t order, std::span<const std::byte>& bytes) {
  if (order != OrderOf<Key>()) return std::nullopt;
  Key key;
  KeyDecoder decoder(bytes);
  KeySpec<Key>::Columns(key, decoder);
  if (!decoder.good()) return std::nullopt;
  return MetadataKey(std::move(key));
}

/// The first of `Keys` that has this order, decoded; none if bytes are wrong or no key has it.
template <class... Keys>
std::optional<MetadataKey> DecodeAny(std::uint8_t order, std::span<const std::byte>& bytes) {
  std::optional<MetadataKey> key;
  (void)((key = DecodeAs<Keys>(order, bytes)) || ...);
  return key;
}

}  // namespace

RowCrc::RowCrc(MetadataTable table) : crc_(Crc32c(std::as_bytes(std::span(&table, 1)))) {}

RowCrc& RowCrc::Add(std::int64_t value) {
  std::array<std::byte, 1 + kIntegerBytes> column{static_cast<std::byte>(ColumnKind::kInteger)};
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
  std::array<std::byte, 1 + kLengthBytes> column{static_cast<std::byte>(ColumnKind::kBlob)};
  PutLe(column.data() + 1, static_cast<std::uint32_t>(blob.size()));
  crc_ = Crc32c(blob, Crc32c(column, crc_));
  return *this;
}

std::string EncodeRow(const MetadataRow& row) {
  return std::visit(
      [](const auto& each) {
        using Spec = TableSpec<std::decay_t<decltype(each)>>;
        RowEncoder encoder(Spec::kTable);
        Spec::Columns(each, encoder);
        return std::move(encoder).Finish();
      },
      row);
}

Result<MetadataRow> DecodeRow(std::span<const std::byte> bytes) {
  if (bytes.size() < 1 + kCrcBytes) return NotARow("too short");
  const auto covered = bytes.first(bytes.size() - kCrcBytes);
  if (GetLe<std::uint32_t>(bytes.last(kCrcBytes).data()) != Crc32c(covered)) return NotARow("they fail their CRC");
  const auto columns = covered.subspan(1);
  switch (static_cast<MetadataTable>(bytes[0])) {
    case MetadataTable::kStore:
      return Decode<StoreRow>(columns);
    case MetadataTable::kTopics:
      return Decode<TopicRow>(columns);
    case MetadataTable::kPartitions:
      return Decode<PartitionRow>(columns);
    case MetadataTable::kObjects:
      return Decode<ObjectRow>(columns);
    case MetadataTable::kSegments:
      return Decode<SegmentRow>(columns);
    case MetadataTable::kPositions:
      return Decode<PositionRow>(columns);
    case MetadataTable::kRemovals:
      return Decode<RemovalRow>(columns);
    case MetadataTable::kEpochs:
      return Decode<EpochRow>(columns);
    case MetadataTable::kGroups:
      return Decode<GroupRow>(columns);
    case MetadataTable::kGroupMembers:
      return Decode<GroupMemberRow>(columns);
    case MetadataTable::kChanges:
      break;
  }
  return NotARow("no such table");
}

std::string EncodeKey(const MetadataKey& key) {
  return std::visit(
      [](const auto& each) {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, EndOfTable>) {
          return std::string();
        } else {
          return Encode(each);
        }
      },
      key);
}

Result<MetadataKey> DecodeKey(std::span<const std::byte>& bytes) {
  if (!bytes.empty()) {
    const auto order = static_cast<std::uint8_t>(bytes[0]);
    bytes = bytes.subspan(1);
    if (auto key = DecodeAny<StoreKey, TopicKey, PartitionKey, ObjectKey, SegmentEndKey, PositionKey, RemovalKey,
                             EpochKey, GroupKey, GroupMemberKey, TopicNameKey, ObjectAgeKey>(order, bytes))
      return *std::move(key);
  }
  return Error(ErrorCode::kCorruption, "metadata: bytes that are no key");
}

std::string EndOfOrder(const MetadataKey& key) {
  std::string bytes = EncodeKey(key).substr(0, 1);
  if (!bytes.empty()) bytes[0] = static_cast<char>(static_cast<std::uint8_t>(bytes[0]) + 1);
  return bytes;
}

std::optional<std::string> EncodeSecondKey(const MetadataRow& row) {
  return std::visit(
      [](const auto& each) -> std::optional<std::string> {
        using Row = std::decay_t<decltype(each)>;
        if constexpr (HasSecondKey<Row>) return Encode(TableSpec<Row>::SecondKeyOf(each));
        return std::nullopt;
      },
      row);
}

std::string KeyText(const MetadataKey& key) {
  return std::visit(
      [](const auto& each) -> std::string {
        using Key = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Key, EndOfTable>) {
          return "end of a table";
        } else {
          KeyPrinter printer;
          KeySpec<Key>::Columns(each, printer);
          return std::string(TableSpec<typename KeySpec<Key>::RowType>::kName) + printer.text;
        }
      },
      key);
}

}  // namespace millrace
