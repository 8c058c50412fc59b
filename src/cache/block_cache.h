// What readers of cold data keep in memory and share: opened blocks (verified, decompressed, split into batches) and
// segment indexes, each under a byte budget of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "cache/block_key.h"
#include "cache/eviction_queue.h"
#include "cache/opened_block.h"
#include "cache/sharded_cache.h"
#include "millrace/options.h"
#include "millrace/statistics.h"

namespace millrace {

struct BlockCacheOptions {
  std::uint64_t block_bytes_max = 256 << 20;  // opened blocks
  std::uint64_t index_bytes_max = 64 << 20;   // segment indexes
  EvictionPolicy eviction = EvictionPolicy::kS3Fifo;
};

/// Safe from any thread. Sharded; no I/O under its locks. What is not there is null.
class BlockCache {
 public:
  using Block = std::shared_ptr<const OpenedBlock>;
  using Segment = std::shared_ptr<const OpenedSegment>;

  explicit BlockCache(const BlockCacheOptions& options);

  /// For a reader: counted, and a touch as the order of eviction sees it. A stream says so at each of its lookups.
  [[nodiscard]] Block FindBlock(const BlockKey& key, InsertHint hint);
  [[nodiscard]] Segment FindSegment(const BlockKey& key);
  /// For us: not counted, and nothing moves.
  [[nodiscard]] Block PeekBlock(const BlockKey& key);
  [[nodiscard]] Segment PeekSegment(const BlockKey& key);
  /// Counts as many bytes as it says it takes; of what is put again the newest counts.
  void InsertBlock(const BlockKey& key, Block block, InsertHint hint);
  void InsertSegment(const BlockKey& key, Segment segment);

  /// Of blocks; hits and misses count lookups made for readers.
  [[nodiscard]] CacheStats Stats() const { return blocks_.Stats(); }

 private:
  ShardedCache<BlockKey, Block, BlockKeyHash> blocks_;
  ShardedCache<BlockKey, Segment, BlockKeyHash> segments_;
};

}  // namespace millrace
