#include "engine/partitioner.h"

#include "base/check.h"
#include "base/coding.h"

namespace millrace {

std::uint32_t Murmur2(std::span<const std::byte> bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28c, kMix = 0x5bd1e995;
  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  while (bytes.size() >= 4) {
    std::uint32_t word = GetLe<std::uint32_t>(bytes.data()) * kMix;
    word ^= word >> 24;
    hash = (hash * kMix) ^ (word * kMix);
    bytes = bytes.subspan(4);
  }
  if (!bytes.empty()) {
    for (std::size_t i = 0; i < bytes.size(); ++i) hash ^= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
    hash *= kMix;
  }
  hash ^= hash >> 13;
  hash *= kMix;
  return hash ^ (hash >> 15);
}

PartitionId PartitionOfKey(std::span<const std::byte> key, std::int32_t partitions) {
  MR_CHECK(partitions > 0, partitions);
  return PartitionId(static_cast<std::int32_t>(Murmur2(key) & 0x7fffffffU) % partitions);
}

}  // namespace millrace
