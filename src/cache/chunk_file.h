// A chunk as a file of the disk cache; docs/format/segment-cache.md is the grammar.
//
//   file = "MRC1", version u32, object 16 bytes, segment begin u64, byte begin u64, payload bytes u64,
//          payload crc u32, crc u32 of the 52 bytes before, payload
//   name = 32 hexadecimal digits: a hash of the key
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/chunk.h"
#include "millrace/bytes.h"
#include "millrace/file_system.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::size_t kChunkHeaderBytes = 56;
inline constexpr std::uint32_t kChunkFileVersion = 1;

/// 128 bits of a key. Two keys of one name do not happen; if they did, the header would tell them apart.
struct ChunkName {
  std::uint64_t high = 0, low = 0;
  static ChunkName Of(const ChunkKey& key);
  /// None: not a name of ours.
  static std::optional<ChunkName> Parse(std::string_view digits);
  [[nodiscard]] std::string ToString() const;
  friend bool operator==(const ChunkName&, const ChunkName&) = default;
};

struct ChunkNameHash {
  std::size_t operator()(const ChunkName& name) const noexcept { return name.low; }
};

/// Writes header and payload into a new file, or over one that is no longer than they are; nothing is synced. `crc`: of
/// the pieces together, if it is known; else one more pass over them. Errors: of the file system, with any part of it
/// written.
Result<void> WriteChunkFile(FileSystem& file_system, const std::filesystem::path& path, FileCreation creation,
                            const ChunkKey& key, std::span<const SharedBytes> pieces,
                            std::optional<std::uint32_t> crc = std::nullopt);

/// What a reader knows of a file before it opens it.
struct ChunkFile {
  std::filesystem::path path;
  std::uint64_t file_bytes = 0;
  bool header_checked = false;  // by this process, or written by it
};

/// Ranges of the payload, each in memory of its own; none: all of it in one part, by its checksum. Errors: kCorruption
/// (not this key's file, not as long as it says, or a wrong checksum), kNotFound, those of the file system. Cost: one
/// read a range, and one of the header if it was not checked.
Result<std::vector<SharedBytes>> ReadChunkFile(FileSystem& file_system, const ChunkFile& chunk, const ChunkKey& key,
                                               std::span<const ByteRange> ranges);

}  // namespace millrace
