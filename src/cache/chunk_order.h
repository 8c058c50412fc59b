// The order in which the disk cache would evict, written down now and then and at the end, so that it outlives the
// process. Only a hint: lost, old or damaged, it costs hits and nothing else.
//
//   order = "MRO1", version u32, left out u64, count u64, entry*, crc u32 of all before
//   entry = name 16 bytes, rank u8; sooner to go before later, and after those left out
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cache/chunk_file.h"
#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

struct RankedChunk {
  ChunkName name;
  std::uint8_t rank = 0;
  friend bool operator==(const RankedChunk&, const RankedChunk&) = default;
};

struct ChunkOrder {
  std::vector<RankedChunk> places;
  std::uint64_t left_out = 0;  // that would go before all of them
};

inline constexpr std::uint64_t kOrderFixedBytes = 28, kOrderEntryBytes = 17;

/// Written beside `path` and renamed; not synced. Of more places than fit `bytes_max`, the last ones are kept.
Result<void> WriteOrder(FileSystem& file_system, const std::filesystem::path& path,
                        const std::vector<RankedChunk>& places, std::uint64_t bytes_max);
/// Nothing if there is none that can be believed.
ChunkOrder ReadOrder(FileSystem& file_system, const std::filesystem::path& path, std::uint64_t bytes_max);

}  // namespace millrace
