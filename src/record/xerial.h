// The framing that Kafka's Java client puts round snappy:
//
//   82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | lowest compatible version i32 | { length i32, snappy block }...
//
// Numbers are big-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace millrace::xerial {

inline constexpr std::array<std::byte, 8> kMagic{std::byte{0x82}, std::byte{'S'}, std::byte{'N'}, std::byte{'A'},
                                                 std::byte{'P'},  std::byte{'P'}, std::byte{'Y'}, std::byte{0}};
inline constexpr std::int32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kBlockBytes = 32 << 10;  // uncompressed, as Kafka's client cuts them

}  // namespace millrace::xerial
