// The bytes of the position log: frames of whole blocks, and the entries in them. Drawn in docs/format/position-log.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "millrace/strong.h"

namespace millrace {

inline constexpr std::size_t kPositionBlockBytes = 4096;
inline constexpr std::size_t kPositionFrameHeaderBytes = 48;
inline constexpr std::size_t kCursorNameBytesMax = 249;

/// A cursor's number: given once in a data directory.
using CursorId = Strong<struct CursorIdTag, std::uint64_t>;

struct CursorKey {
  PartitionKey partition;
  std::string name;
  friend auto operator<=>(const CursorKey&, const CursorKey&) = default;
};

struct PositionDefine {
  CursorId id;
  CursorKey key;
  Offset position;
  friend bool operator==(const PositionDefine&, const PositionDefine&) = default;
};
struct PositionMove {
  CursorId id;
  Offset position;
  friend bool operator==(const PositionMove&, const PositionMove&) = default;
};
struct PositionRemove {
  CursorId id;
  friend bool operator==(const PositionRemove&, const PositionRemove&) = default;
};
using PositionEntry = std::variant<PositionDefine, PositionMove, PositionRemove>;

enum class PositionFrameKind : std::uint16_t { kSnapshot = 1, kUpdate = 2 };

struct PositionFrameHeader {
  PositionFrameKind kind = PositionFrameKind::kUpdate;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;  // its first block's number in the file
  CursorId next_id{1};
};

struct PositionFrame {
  PositionFrameHeader header;
  std::uint32_t blocks = 0;
  std::uint32_t entries = 0;
  std::span<const std::byte> entry_bytes;
};

/// Bytes an entry takes in a frame.
[[nodiscard]] std::size_t PositionEntryBytes(const PositionEntry& entry);
/// Bytes of the frame that holds `entry_bytes`: whole blocks.
[[nodiscard]] std::size_t PositionFrameBytes(std::size_t entry_bytes);

/// Writes the frame into `out`, which has exactly its size.
void EncodePositionFrame(const PositionFrameHeader& header, std::span<const PositionEntry> entries,
                         std::span<std::byte> out);

/// The whole frame at the front of `bytes`, which begin at block `sequence` of the file; none if there is no such.
/// Memory: none. kUnsupported: a version to come.
Result<std::optional<PositionFrame>> FindPositionFrame(std::span<const std::byte> bytes, std::uint64_t sequence);

/// Its entries. kCorruption. Memory: at most a small multiple of the frame's bytes.
Result<std::vector<PositionEntry>> DecodePositionEntries(const PositionFrame& frame);

}  // namespace millrace
