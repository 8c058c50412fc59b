#include "wal/frame.h"

#include "base/bugs.h"
#include "base/coding.h"
#include "base/crc32c.h"

namespace millrace {

namespace {

constexpr std::uint16_t kMagic = 0x464d;  // "MF"
constexpr std::uint8_t kVersion = 1;

}  // namespace

void EncodeWalFrameHeader(const WalFrameHeader& header, std::span<std::byte, kWalFrameHeaderBytes> out) {
  std::byte* at = out.data();
  PutLe(at + 4, header.payload_crc);
  PutLe(at + 8, header.payload_bytes);
  PutLe(at + 12, static_cast<std::uint8_t>(header.kind));
  PutLe(at + 13, kVersion);
  PutLe(at + 14, kMagic);
  PutLe(at + 16, header.generation);
  PutLe(at + 24, header.position.value());
  PutLe(at + 32, header.previous.value());
  PutLe(at + 40, header.synced_to.value());
  PutLe(at + 48, header.stream.value());
  PutLe(at, Crc32c(out.subspan(4)));
}

std::optional<WalFrameHeader> DecodeWalFrameHeader(std::span<const std::byte> bytes) {
  if (bytes.size() < kWalFrameHeaderBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  if (GetLe<std::uint16_t>(at + 14) != kMagic || GetLe<std::uint8_t>(at + 13) != kVersion) return std::nullopt;
  const auto kind = GetLe<std::uint8_t>(at + 12);
  if (kind != static_cast<std::uint8_t>(WalFrameKind::kPayload) &&
      kind != static_cast<std::uint8_t>(WalFrameKind::kMark)) {
    return std::nullopt;
  }
  if (GetLe<std::uint32_t>(at) != Crc32c(bytes.subspan(4, kWalFrameHeaderBytes - 4))) return std::nullopt;
  WalFrameHeader header;
  header.kind = static_cast<WalFrameKind>(kind);
  header.payload_crc = GetLe<std::uint32_t>(at + 4);
  header.payload_bytes = GetLe<std::uint32_t>(at + 8);
  header.generation = GetLe<std::uint64_t>(at + 16);
  header.position = WalPosition(GetLe<std::int64_t>(at + 24));
  header.previous = WalPosition(GetLe<std::int64_t>(at + 32));
  header.synced_to = WalPosition(GetLe<std::int64_t>(at + 40));
  header.stream = WalStream(GetLe<std::uint64_t>(at + 48));
  return header;
}

std::optional<WalFrameHeader> DecodeWalFrame(std::span<const std::byte> bytes, std::uint64_t generation,
                                             WalPosition position) {
  auto header = DecodeWalFrameHeader(bytes);
  if (!header) return std::nullopt;
  // No position is ever given twice, so the position alone tells a recycled file's old frames; the generation tells
  // those of a file that the line left aside.
  if (header->generation != generation) return std::nullopt;
  if (header->position != position && !Planted(Bug::kWalCrcWithoutPosition)) return std::nullopt;
  if (bytes.size() - kWalFrameHeaderBytes < header->payload_bytes) return std::nullopt;
  const auto payload = bytes.subspan(kWalFrameHeaderBytes, header->payload_bytes);
  if (Crc32c(payload) != header->payload_crc && !Planted(Bug::kWalAcceptBadLastFrame)) return std::nullopt;
  return header;
}

bool MayBeWalFrameAt(const std::byte* bytes, WalPosition position) {
  return GetLe<std::int64_t>(bytes + 24) == position.value() && GetLe<std::uint16_t>(bytes + 14) == kMagic;
}

}  // namespace millrace
