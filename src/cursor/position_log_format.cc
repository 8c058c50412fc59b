#include "cursor/position_log_format.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::uint32_t kMagic = 0x4c50524d;  // "MRPL"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kCrcEnd = 8;  // what the CRC covers begins here

enum class EntryKind : std::uint8_t { kDefine = 1, kMove = 2, kRemove = 3 };
constexpr std::size_t kDefineBytes = 1 + 8 + 8 + 4 + 8 + 2, kMoveBytes = 1 + 8 + 8, kRemoveBytes = 1 + 8;

/// Takes integers and bytes off the front, as long as there are enough.
class EntryReader {
 public:
  explicit EntryReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <class T>
  bool Take(T& value) {
    if (rest_.size() < sizeof(T)) return false;
    value = GetLe<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  bool Take(std::size_t count, std::string& text) {
    if (rest_.size() < count) return false;
    text = AsText(rest_.first(count));
    rest_ = rest_.subspan(count);
    return true;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

class EntryWriter {
 public:
  explicit EntryWriter(std::byte* at) : at_(at) {}
  template <class T>
  void Put(T value) {
    PutLe(at_, value);
    at_ += sizeof value;
  }
  void Put(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  [[nodiscard]] const std::byte* at() const { return at_; }

  void operator()(const PositionDefine& define) {
    Put(static_cast<std::uint8_t>(EntryKind::kDefine));
    Put(define.id.value());
    Put(define.key.partition.topic.value());
    Put(define.key.partition.partition.value());
    Put(define.position.value());
    Put(static_cast<std::uint16_t>(define.key.name.size()));
    Put(std::string_view(define.key.name));
  }
  void operator()(const PositionMove& move) {
    Put(static_cast<std::uint8_t>(EntryKind::kMove));
    Put(move.id.value());
    Put(move.position.value());
  }
  void operator()(const PositionRemove& remove) {
    Put(static_cast<std::uint8_t>(EntryKind::kRemove));
    Put(remove.id.value());
  }

 private:
  std::byte* at_;
};

std::optional<PositionEntry> TakeDefine(EntryReader& reader) {
  std::uint64_t id = 0;
  std::int64_t topic = 0, position = 0;
  std::int32_t partition = 0;
  std::uint16_t name_bytes = 0;
  PositionDefine define;
  if (!reader.Take(id) || !reader.Take(topic) || !reader.Take(partition) || !reader.Take(position) ||
      !reader.Take(name_bytes) || name_bytes == 0 || name_bytes > kCursorNameBytesMax ||
      !reader.Take(name_bytes, define.key.name) || position < 0)
    return {};
  define.id = CursorId(id);
  define.key.partition = {TopicId(topic), PartitionId(partition)};
  define.position = Offset(position);
  return define;
}

std::optional<PositionEntry> TakeEntry(EntryReader& reader) {
  std::uint8_t kind = 0;
  std::uint64_t id = 0;
  std::int64_t position = 0;
  if (!reader.Take(kind)) return {};
  switch (static_cast<EntryKind>(kind)) {
    case EntryKind::kDefine:
      return TakeDefine(reader);
    case EntryKind::kMove:
      if (!reader.Take(id) || !reader.Take(position) || position < 0) return {};
      return PositionMove{CursorId(id), Offset(position)};
    case EntryKind::kRemove:
      if (!reader.Take(id)) return {};
      return PositionRemove{CursorId(id)};
  }
  return {};
}

}  // namespace

std::size_t PositionEntryBytes(const PositionEntry& entry) {
  if (const auto* define = std::get_if<PositionDefine>(&entry)) return kDefineBytes + define->key.name.size();
  return std::holds_alternative<PositionMove>(entry) ? kMoveBytes : kRemoveBytes;
}

std::size_t PositionFrameBytes(std::size_t entry_bytes) {
  const std::size_t bytes = kPositionFrameHeaderBytes + entry_bytes;
  return (bytes + kPositionBlockBytes - 1) / kPositionBlockBytes * kPositionBlockBytes;
}

void EncodePositionFrame(const PositionFrameHeader& header, std::span<const PositionEntry> entries,
                         std::span<std::byte> out) {
  MR_CHECK(out.size() >= kPositionBlockBytes && out.size() % kPositionBlockBytes == 0, out.size());
  EntryWriter writer(out.data() + kPositionFrameHeaderBytes);
  for (const PositionEntry& entry : entries) std::visit(writer, entry);
  const auto end = static_cast<std::size_t>(writer.at() - out.data());
  MR_CHECK(end <= out.size() && PositionFrameBytes(end - kPositionFrameHeaderBytes) == out.size(), end, out.size());
  std::memset(out.data() + end, 0, out.size() - end);
  std::byte* at = out.data();
  PutLe(at, kMagic);
  PutLe(at + 8, kVersion);
  PutLe(at + 10, std::to_underlying(header.kind));
  PutLe(at + 12, static_cast<std::uint32_t>(out.size() / kPositionBlockBytes));
  PutLe(at + 16, header.generation);
  PutLe(at + 24, header.sequence);
  PutLe(at + 32, static_cast<std::uint32_t>(end - kPositionFrameHeaderBytes));
  PutLe(at + 36, static_cast<std::uint32_t>(entries.size()));
  PutLe(at + 40, header.next_id.value());
  PutLe(at + 4, Crc32c(out.subspan(kCrcEnd)));
}

Result<std::optional<PositionFrame>> FindPositionFrame(std::span<const std::byte> bytes, std::uint64_t sequence) {
  if (bytes.size() < kPositionBlockBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  if (GetLe<std::uint32_t>(at) != kMagic) return std::nullopt;
  PositionFrame frame;
  frame.blocks = GetLe<std::uint32_t>(at + 12);
  if (frame.blocks == 0 || frame.blocks > bytes.size() / kPositionBlockBytes) return std::nullopt;
  const auto whole = bytes.first(frame.blocks * kPositionBlockBytes);
  if (GetLe<std::uint32_t>(at + 4) != Crc32c(whole.subspan(kCrcEnd))) return std::nullopt;
  const auto version = GetLe<std::uint16_t>(at + 8);
  if (version > kVersion)
    return Error(ErrorCode::kUnsupported,
                 fmt::format("the position log has version {}, this is version {}", version, kVersion),
                 "open it with the version that wrote it");
  const auto kind = GetLe<std::uint16_t>(at + 10);
  frame.header.kind = static_cast<PositionFrameKind>(kind);
  frame.header.generation = GetLe<std::uint64_t>(at + 16);
  frame.header.sequence = GetLe<std::uint64_t>(at + 24);
  frame.header.next_id = CursorId(GetLe<std::uint64_t>(at + 40));
  frame.entries = GetLe<std::uint32_t>(at + 36);
  const auto entry_bytes = GetLe<std::uint32_t>(at + 32);
  const bool is_known =
      frame.header.kind == PositionFrameKind::kSnapshot || frame.header.kind == PositionFrameKind::kUpdate;
  if (!is_known || version == 0 || frame.header.sequence != sequence || frame.header.generation == 0 ||
      PositionFrameBytes(entry_bytes) != whole.size())
    return std::nullopt;
  frame.entry_bytes = whole.subspan(kPositionFrameHeaderBytes, entry_bytes);
  return frame;
}

Result<std::vector<PositionEntry>> DecodePositionEntries(const PositionFrame& frame) {
  const Error malformed(ErrorCode::kCorruption, "a frame of the position log has entries that do not parse");
  if (frame.entries > frame.entry_bytes.size() / kRemoveBytes) return malformed;
  std::vector<PositionEntry> entries;
  entries.reserve(frame.entries);
  EntryReader reader(frame.entry_bytes);
  for (std::uint32_t i = 0; i < frame.entries; ++i) {
    auto entry = TakeEntry(reader);
    if (!entry) return malformed;
    entries.push_back(*std::move(entry));
  }
  if (!reader.empty()) return malformed;
  return entries;
}

}  // namespace millrace
