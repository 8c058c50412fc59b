// CRC-32C by tables, for machines without the instruction, and as the witness that checks the fast ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

/// Goes on from the register `crc`; no inversion before or after.
[[nodiscard]] std::uint32_t Crc32cPortable(std::uint32_t crc, std::span<const std::byte> bytes);

/// As Crc32cJoined, where the processor has no instructions for it.
[[nodiscard]] std::uint32_t Crc32cJoinedPortable(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes);

}  // namespace millrace
