// Fixed-width integers to and from bytes. Little-endian at rest (Put/Get...Le), big-endian on the Kafka wire (...Be).
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace millrace {

template <std::integral T>
constexpr T ToLittleEndian(T value) {
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(value);
  return value;
}

template <std::integral T>
constexpr T ToBigEndian(T value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

/// Reads a T stored little-endian at `at`; no alignment needed.
template <std::integral T>
T GetLe(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return ToLittleEndian(value);
}

template <std::integral T>
void PutLe(std::byte* at, T value) {
  value = ToLittleEndian(value);
  std::memcpy(at, &value, sizeof value);
}

template <std::integral T>
T GetBe(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return ToBigEndian(value);
}

template <std::integral T>
void PutBe(std::byte* at, T value) {
  value = ToBigEndian(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace millrace
