// How the records of one producer are numbered: 31 bits, around.
#pragma once

#include <cstdint>

namespace millrace {

/// The number behind `count` records from `sequence` on: 0 follows 2^31 - 1. A negative count goes back.
constexpr std::int32_t SequenceAfter(std::int32_t sequence, std::int32_t count = 1) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count)) &
                                   0x7fff'ffffU);
}

}  // namespace millrace
