// CRC-32C (Castagnoli), as Kafka and our own formats use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

/// CRC-32C of `bytes`, going on from `seed`, the CRC of what came before: Crc32c(b, Crc32c(a)) == Crc32c(a + b).
/// Cost: serial instruction below 128 B, ISA-L above (tens of GB/s).
[[nodiscard]] std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

/// The CRC of two stretches side by side from the CRC of each: Crc32cJoined(Crc32c(a), Crc32c(b), b.size()) ==
/// Crc32c(a + b). Cost: about that of 400 B of CRC where the processor multiplies without carries, else of 4 KiB;
/// whatever the length.
[[nodiscard]] std::uint32_t Crc32cJoined(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes);

/// From how many bytes of `second` on joining is faster than reading them again while they lie in the cache.
[[nodiscard]] std::size_t Crc32cJoiningPaysFrom();

}  // namespace millrace
