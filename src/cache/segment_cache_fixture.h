// What tests of the disk cache start from: keys and bytes that follow from numbers, and what really is on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/chunk_file.h"
#include "cache/segment_cache.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace {

inline ChunkKey NumberedKey(std::uint64_t number) {
  ChunkKey key{.segment_begin = number % 3 * 1000, .byte_begin = number % 5 == 0 ? kTailChunk : number << 20};
  for (std::size_t i = 0; i < key.object.size(); ++i)
    key.object[i] = static_cast<std::uint8_t>(SeededRandom::Mix(number * 100 + i));
  return key;
}

/// Differs from byte to byte, and from every other version of it.
inline SharedBytes NumberedBytes(std::uint64_t number, std::size_t size, std::uint64_t version = 0) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes.bytes()[i] = static_cast<std::byte>(SeededRandom::Mix(number * 7919 + version * 104729 + i / 4) >> (i % 4));
  return std::move(bytes).Freeze();
}

struct SegmentCacheFixture {
  explicit SegmentCacheFixture(std::uint64_t bytes_max = 1 << 20, EvictionPolicy eviction = EvictionPolicy::kLru)
      : options{.directory = "/data/nested/cache", .bytes_max = bytes_max, .eviction = eviction} {
    Open();
  }
  ~SegmentCacheFixture() {
    if (cache) cache->Close();
  }
  void Open() { cache = SegmentCache::Open(options, below != nullptr ? *below : disk, clock); }
  void Reopen() {
    cache->Close();
    cache.reset();
    Open();
  }

  /// A file of `file_bytes` in all.
  bool Put(std::uint64_t number, std::uint64_t file_bytes, SegmentCache::Request how = {}) {
    const SharedBytes bytes = NumberedBytes(number, file_bytes - kChunkHeaderBytes);
    return PutBytes(number, bytes, how);
  }
  bool PutBytes(std::uint64_t number, const SharedBytes& bytes, SegmentCache::Request how = {}) {
    how.key = NumberedKey(number);
    how.bytes = bytes.size();
    const std::size_t half = bytes.size() / 2;
    const SharedBytes pieces[] = {bytes.Slice(0, half), bytes.Slice(half, bytes.size() - half)};
    return cache->Admit(cache->Reserve(how), pieces);
  }
  std::optional<SharedBytes> Get(std::uint64_t number, Lookup lookup = Lookup::kReader) {
    auto parts = cache->Read(NumberedKey(number), {}, lookup);
    if (!parts) return std::nullopt;
    return parts->front();
  }
  bool Has(std::uint64_t number) const { return cache->Contains(NumberedKey(number)); }
  std::filesystem::path ChunkPath(std::uint64_t number) const {
    return options.directory / "chunks" / ChunkName::Of(NumberedKey(number)).ToString();
  }

  struct OnDisk {
    std::uint64_t files = 0, bytes = 0, bytes_in_all = 0;  // chunks; and whatever else the cache keeps
  };
  OnDisk Look() {
    OnDisk found;
    for (const DirectoryEntry& entry : disk.List(options.directory / "chunks").value()) {
      ++found.files;
      found.bytes += entry.size_bytes;
    }
    found.bytes_in_all = found.bytes;
    for (const DirectoryEntry& entry : disk.List(options.directory).value()) found.bytes_in_all += entry.size_bytes;
    return found;
  }

  SimFileSystem disk;
  FileSystem* below = nullptr;  // over `disk`, if faults are wanted
  SimClock clock;
  SegmentCacheOptions options;
  std::unique_ptr<SegmentCache> cache;
};

inline bool Same(const std::optional<SharedBytes>& a, const SharedBytes& b) {
  return a && std::ranges::equal(a->bytes(), b.bytes());
}

}  // namespace millrace
