// Zigzag varints, as RecordBatch v2 stores lengths, deltas and counts. One number has one encoding: longer ones, and
// bits past the width, are refused.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace millrace {

inline constexpr std::size_t kVarint32BytesMax = 5;
inline constexpr std::size_t kVarint64BytesMax = 10;

constexpr std::uint32_t ZigzagEncode(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::uint64_t ZigzagEncode(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
template <class Unsigned>
constexpr std::make_signed_t<Unsigned> ZigzagDecode(Unsigned value) {
  return static_cast<std::make_signed_t<Unsigned>>((value >> 1) ^ (Unsigned{0} - (value & 1)));
}

/// Bytes that PutVarint writes for `value`: 1 to 5 (int32) or 10 (int64).
template <class Signed>
constexpr std::size_t VarintSize(Signed value) {
  const auto bits = static_cast<std::size_t>(std::bit_width(ZigzagEncode(value) | 1));
  return (bits + 6) / 7;
}

/// Writes `value` at `at` and returns the byte after it. The caller made room.
template <class Signed>
std::byte* PutVarint(std::byte* at, Signed value) {
  auto rest = ZigzagEncode(value);
  while (rest >= 0x80) {
    *at++ = static_cast<std::byte>(rest | 0x80);
    rest >>= 7;
  }
  *at++ = static_cast<std::byte>(rest);
  return at;
}

/// Reads a varint of two bytes or more. Kept apart so that the one-byte case inlines well.
template <class Signed>
const std::byte* ReadLongVarint(const std::byte* at, const std::byte* end, Signed& value) {
  using Unsigned = std::make_unsigned_t<Signed>;
  constexpr unsigned kBits = sizeof(Unsigned) * 8;
  Unsigned number = 0;
  for (unsigned shift = 0; shift < kBits && at != end; shift += 7) {
    const auto byte = std::to_integer<Unsigned>(*at++);
    const Unsigned digit = byte & 0x7f;
    if (shift + 7 > kBits && (digit >> (kBits - shift)) != 0) return nullptr;  // bits past the width
    number |= digit << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift != 0) return nullptr;  // a shorter encoding exists
      value = ZigzagDecode(number);
      return at;
    }
  }
  return nullptr;
}

/// Reads a varint in [at, end) and returns the byte after it; null if it is cut short, over-long or too wide.
template <class Signed>
const std::byte* ReadVarint(const std::byte* at, const std::byte* end, Signed& value) {
  using Unsigned = std::make_unsigned_t<Signed>;
  if (end - at >= 2) [[likely]] {
    const auto first = std::to_integer<Unsigned>(at[0]);
    if (first < 0x80) {
      value = ZigzagDecode(first);
      return at + 1;
    }
    const auto second = std::to_integer<Unsigned>(at[1]);
    if (second < 0x80 && second != 0) {
      value = ZigzagDecode(static_cast<Unsigned>((first & 0x7f) | (second << 7)));
      return at + 2;
    }
  }
  return ReadLongVarint(at, end, value);
}

}  // namespace millrace
