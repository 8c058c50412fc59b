#include "cache/chunk_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/hex.h"
#include "base/try.h"

namespace millrace {
namespace {

namespace at {
constexpr std::size_t kMagic = 0;
constexpr std::size_t kVersion = 4;
constexpr std::size_t kObject = 8;
constexpr std::size_t kSegmentBegin = 24;
constexpr std::size_t kByteBegin = 32;
constexpr std::size_t kPayloadBytes = 40;
constexpr std::size_t kPayloadCrc = 48;
constexpr std::size_t kCrc = 52;
}  // namespace at
static_assert(at::kCrc + 4 == kChunkHeaderBytes);

constexpr std::string_view kMagic = "MRC1";
using Header = std::array<std::byte, kChunkHeaderBytes>;

Header HeaderOf(const ChunkKey& key, std::uint64_t payload_bytes, std::uint32_t payload_crc) {
  Header header;
  std::memcpy(&header[at::kMagic], kMagic.data(), kMagic.size());
  PutLe(&header[at::kVersion], kChunkFileVersion);
  std::memcpy(&header[at::kObject], key.object.data(), key.object.size());
  PutLe(&header[at::kSegmentBegin], key.segment_begin);
  PutLe(&header[at::kByteBegin], key.byte_begin);
  PutLe(&header[at::kPayloadBytes], payload_bytes);
  PutLe(&header[at::kPayloadCrc], payload_crc);
  PutLe(&header[at::kCrc], Crc32c(std::span(header).first(at::kCrc)));
  return header;
}

Error Damaged(const std::filesystem::path& path, std::string_view why) {
  return {ErrorCode::kCorruption, fmt::format("cache file {}: {}", path.string(), why)};
}

/// The payload's checksum as the header says, if it is the header of this key's file of that size.
Result<std::uint32_t> CheckHeader(std::span<const std::byte> header, const ChunkFile& chunk, const ChunkKey& key) {
  const auto crc = GetLe<std::uint32_t>(&header[at::kPayloadCrc]);
  const Header expected = HeaderOf(key, chunk.file_bytes - kChunkHeaderBytes, crc);
  if (!std::ranges::equal(header, expected))
    return Damaged(chunk.path, "its header is not that of the chunk asked for");
  return crc;
}

Result<Buffer> ReadExactly(File& file, const std::filesystem::path& path, std::uint64_t offset, std::uint64_t length) {
  Buffer bytes(length);
  MR_ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(offset, bytes.bytes()));
  if (got != length) return Damaged(path, "shorter than it was");
  return bytes;
}

constexpr std::uint64_t Mix(std::uint64_t value) {  // the finalizer of splitmix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

ChunkName ChunkName::Of(const ChunkKey& key) {
  const auto* object = reinterpret_cast<const std::byte*>(key.object.data());
  ChunkName name{0x9e3779b97f4a7c15U, 0xc2b2ae3d27d4eb4fU};
  for (const std::uint64_t word :
       {GetLe<std::uint64_t>(object), GetLe<std::uint64_t>(object + 8), key.segment_begin, key.byte_begin}) {
    name.high = Mix(name.high + word);
    name.low = Mix(name.low ^ word) + 0x165667b19e3779f9U;
  }
  return name;
}

std::optional<ChunkName> ChunkName::Parse(std::string_view digits) {
  if (digits.size() != 32) return std::nullopt;
  ChunkName name;
  for (const char c : digits) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) return std::nullopt;
    name.high = name.high << 4 | name.low >> 60;
    name.low = name.low << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return name;
}

std::string ChunkName::ToString() const { return fmt::format("{:016x}{:016x}", high, low); }

Result<void> WriteChunkFile(FileSystem& file_system, const std::filesystem::path& path, FileCreation creation,
                            const ChunkKey& key, std::span<const SharedBytes> pieces,
                            std::optional<std::uint32_t> crc) {
  std::uint64_t payload_bytes = 0;
  for (const SharedBytes& piece : pieces) payload_bytes += piece.size();
  if (!crc) {
    crc = 0;
    for (const SharedBytes& piece : pieces) crc = Crc32c(piece, *crc);
  }
  MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, {FileAccess::kReadWrite, creation}));
  std::uint64_t offset = kChunkHeaderBytes;
  for (const SharedBytes& piece : pieces) {
    if (!piece.empty()) MR_TRY(file->WriteAt(offset, piece));
    offset += piece.size();
  }
  return file->WriteAt(0, HeaderOf(key, payload_bytes, *crc));
}

Result<std::vector<SharedBytes>> ReadChunkFile(FileSystem& file_system, const ChunkFile& chunk, const ChunkKey& key,
                                               std::span<const ByteRange> ranges) {
  if (chunk.file_bytes < kChunkHeaderBytes) return Damaged(chunk.path, "shorter than its header");
  const std::uint64_t payload_bytes = chunk.file_bytes - kChunkHeaderBytes;
  for (const ByteRange& range : ranges) {
    if (range.offset > payload_bytes || range.length > payload_bytes - range.offset)
      return Damaged(chunk.path, "shorter than the blocks it should hold");
  }
  MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(chunk.path, {}));
  std::vector<SharedBytes> parts;
  if (ranges.empty()) {
    MR_ASSIGN_OR_RETURN(Buffer whole, ReadExactly(*file, chunk.path, 0, chunk.file_bytes));
    const SharedBytes bytes = std::move(whole).Freeze();
    MR_ASSIGN_OR_RETURN(const std::uint32_t crc, CheckHeader(bytes.bytes().first(kChunkHeaderBytes), chunk, key));
    parts.push_back(bytes.Slice(kChunkHeaderBytes, payload_bytes));
    if (Crc32c(parts[0]) != crc) return Damaged(chunk.path, "its checksum is wrong");
    return parts;
  }
  if (!chunk.header_checked) {
    MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    if (size != chunk.file_bytes) return Damaged(chunk.path, "its size is another one");
    MR_ASSIGN_OR_RETURN(const Buffer header, ReadExactly(*file, chunk.path, 0, kChunkHeaderBytes));
    MR_TRY(CheckHeader(header.bytes(), chunk, key));
  }
  for (const ByteRange& range : ranges) {
    MR_ASSIGN_OR_RETURN(Buffer part, ReadExactly(*file, chunk.path, kChunkHeaderBytes + range.offset, range.length));
    parts.push_back(std::move(part).Freeze());
  }
  return parts;
}

}  // namespace millrace
