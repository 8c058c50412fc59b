// What readers of cold data keep in memory and share: opened blocks (verified, decompressed, split into batches) and
// segment indexes, each under a byte budget of its own; and the flights that make one request out of many readers'
// misses.
//
// A block's key is object id + segment's place in the object + block's place in the segment. Object ids are never
// reused, so a re-created topic never sees its namesake's blocks.
#pragma once

#include <cstdint>
#include <memory>

#include "millrace/options.h"
#include "millrace/statistics.h"

namespace millrace {

struct BlockCacheOptions {
  std::uint64_t block_bytes_max = 256 << 20;  // opened blocks
  std::uint64_t index_bytes_max = 64 << 20;   // segment indexes
  EvictionPolicy eviction = EvictionPolicy::kS3Fifo;
};

/// Safe from any thread. Sharded; no I/O under its locks.
class BlockCache {
 public:
  explicit BlockCache(const BlockCacheOptions& options);
  ~BlockCache();
  /// Of blocks; hits and misses count lookups made for readers.
  [[nodiscard]] CacheStats Stats() const;
  [[nodiscard]] CacheStats IndexStats() const;

  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace millrace
