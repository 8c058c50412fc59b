// Which partition a key belongs to, as Kafka's clients decide it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/types.h"

namespace millrace {

/// MurmurHash2, 32 bits, as Kafka's Java client computes it. Source: public domain algorithm by Austin Appleby, with
/// Kafka's seed.
[[nodiscard]] std::uint32_t Murmur2(std::span<const std::byte> bytes);

/// Precondition: partitions > 0.
[[nodiscard]] PartitionId PartitionOfKey(std::span<const std::byte> key, std::int32_t partitions);

}  // namespace millrace
