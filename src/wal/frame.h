// One frame of the WAL: a header and a payload, at its position on the line.
//
//   0  header_crc u32      over bytes 4..56
//   4  payload_crc u32     over the payload
//   8  payload_bytes u32
//   12 kind u8 · version u8 · magic u16 ("MF")
//   16 generation u64      of the file it was written for; with the position it salts the CRC
//   24 position i64        its own place on the line
//   32 previous i64        place of the frame before it: a chain without gaps
//   40 synced_to i64       everything before was known to be synced when this frame was written
//   48 stream u64
//   56 payload, then zeros up to a multiple of 8
//
// All integers little-endian. Pure bytes, no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wal/wal.h"

namespace millrace {

inline constexpr std::uint64_t kWalFrameHeaderBytes = 56;
inline constexpr std::uint64_t kWalFrameAlignment = 8;
/// Groups begin at multiples of this; direct writes need it.
inline constexpr std::uint64_t kWalBlockBytes = 4096;
static_assert(kWalFrameHeaderBytes % kWalFrameAlignment == 0 && kWalBlockBytes % kWalFrameAlignment == 0);
static_assert((kWalBlockBytes & (kWalBlockBytes - 1)) == 0, "a direct write begins and ends at a power of two");

constexpr std::uint64_t AlignUp(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}
constexpr WalPosition BlockUp(WalPosition position) {
  return WalPosition(static_cast<std::int64_t>(AlignUp(static_cast<std::uint64_t>(position.value()), kWalBlockBytes)));
}
constexpr WalPosition BlockDown(WalPosition position) {
  return position - position.value() % static_cast<std::int64_t>(kWalBlockBytes);
}

enum class WalFrameKind : std::uint8_t {
  kPayload = 1,
  kMark = 2,  // empty; says by synced_to how far the log was synced
};

struct WalFrameHeader {
  WalFrameKind kind = WalFrameKind::kPayload;
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_crc = 0;
  std::uint64_t generation = 0;
  WalPosition position;
  WalPosition previous;
  WalPosition synced_to;
  WalStream stream;
};

/// What a frame with this payload takes on the line.
constexpr std::uint64_t WalFrameBytes(std::uint64_t payload_bytes) {
  return AlignUp(kWalFrameHeaderBytes + payload_bytes, kWalFrameAlignment);
}

inline WalPosition WalFrameEnd(const WalFrameHeader& header) {
  return header.position + static_cast<std::int64_t>(WalFrameBytes(header.payload_bytes));
}

void EncodeWalFrameHeader(const WalFrameHeader& header, std::span<std::byte, kWalFrameHeaderBytes> out);

/// None unless `bytes` begins with a whole header whose CRC, magic and kind are right. Says nothing of the payload.
std::optional<WalFrameHeader> DecodeWalFrameHeader(std::span<const std::byte> bytes);

/// The header at the start of `bytes` if a whole valid frame of `generation` stands there and believes to be at
/// `position`.
std::optional<WalFrameHeader> DecodeWalFrame(std::span<const std::byte> bytes, std::uint64_t generation,
                                             WalPosition position);

/// Quick look, before any CRC: could a header at `bytes` (at least one header long) stand at `position`?
bool MayBeWalFrameAt(const std::byte* bytes, WalPosition position);

}  // namespace millrace
