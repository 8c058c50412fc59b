#include "wal/file_header.h"

#include <cstring>

#include "base/coding.h"
#include "base/crc32c.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMagic = 0x31307631'4157524dULL;
constexpr std::size_t kCopyBytes = 64;
constexpr std::size_t kSecondCopy = 2048;
static_assert(kCopyBytes == 64 && kCopyBytes <= kSecondCopy && kSecondCopy + kCopyBytes <= kWalFileHeaderBytes);

/// Could a log have written this? A right CRC alone does not make a place inside the file of a number.
bool Consistent(const WalFileHeader& header) {
  constexpr std::uint64_t kPositionMax = std::uint64_t{1} << 62;
  if (header.generation == 0 || header.capacity > kPositionMax) return false;
  if (header.state == WalFileState::kFree) return true;
  return header.base.value() >= 0 && static_cast<std::uint64_t>(header.base.value()) <= kPositionMax &&
         header.base == BlockDown(header.base) && header.base == BlockDown(header.predecessor_end) &&
         header.last_frame < header.predecessor_end && header.predecessor_generation < header.generation;
}

std::optional<WalFileHeader> DecodeCopy(std::span<const std::byte> bytes) {
  if (bytes.size() < kCopyBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  if (GetLe<std::uint64_t>(at) != kMagic) return std::nullopt;
  if (GetLe<std::uint32_t>(at + 8) != Crc32c(bytes.subspan(12, kCopyBytes - 12))) return std::nullopt;
  const auto state = GetLe<std::uint32_t>(at + 12);
  if (state != static_cast<std::uint32_t>(WalFileState::kFree) &&
      state != static_cast<std::uint32_t>(WalFileState::kLive)) {
    return std::nullopt;
  }
  WalFileHeader header;
  header.state = static_cast<WalFileState>(state);
  header.generation = GetLe<std::uint64_t>(at + 16);
  header.base = WalPosition(GetLe<std::int64_t>(at + 24));
  header.capacity = GetLe<std::uint64_t>(at + 32);
  header.predecessor_generation = GetLe<std::uint64_t>(at + 40);
  header.predecessor_end = WalPosition(GetLe<std::int64_t>(at + 48));
  header.last_frame = WalPosition(GetLe<std::int64_t>(at + 56));
  if (!Consistent(header)) return std::nullopt;
  return header;
}

}  // namespace

void EncodeWalFileHeader(const WalFileHeader& header, std::span<std::byte, kWalFileHeaderBytes> out) {
  std::memset(out.data(), 0, out.size());
  std::byte* at = out.data();
  PutLe(at, kMagic);
  PutLe(at + 12, static_cast<std::uint32_t>(header.state));
  PutLe(at + 16, header.generation);
  PutLe(at + 24, header.base.value());
  PutLe(at + 32, header.capacity);
  PutLe(at + 40, header.predecessor_generation);
  PutLe(at + 48, header.predecessor_end.value());
  PutLe(at + 56, header.last_frame.value());
  PutLe(at + 8, Crc32c(out.subspan(12, kCopyBytes - 12)));
  std::memcpy(at + kSecondCopy, at, kCopyBytes);
}

std::optional<WalFileHeader> DecodeWalFileHeader(std::span<const std::byte> block) {
  if (auto first = DecodeCopy(block)) return first;
  if (block.size() < kSecondCopy) return std::nullopt;
  return DecodeCopy(block.subspan(kSecondCopy));
}

}  // namespace millrace
