// Ids that are never given twice: 128 random bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/hex.h"
#include "env/random.h"

namespace millrace {

inline std::array<std::uint8_t, 16> RandomId(Random& random) {
  std::array<std::uint8_t, 16> id;
  for (std::size_t word = 0; word < 2; ++word) {
    const std::uint64_t bits = random.Next();
    for (std::size_t i = 0; i < 8; ++i) id[word * 8 + i] = static_cast<std::uint8_t>(bits >> (8 * i));
  }
  return id;
}

/// 32 hexadecimal digits.
inline std::string RandomHexId(Random& random) {
  const auto id = RandomId(random);
  return ToHex(std::as_bytes(std::span(id)));
}

}  // namespace millrace
