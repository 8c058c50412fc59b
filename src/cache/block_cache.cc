#include "cache/block_cache.h"

#include <utility>

namespace millrace {

BlockCache::BlockCache(const BlockCacheOptions& options)
    : blocks_(options.block_bytes_max, options.eviction), segments_(options.index_bytes_max) {}

BlockCache::Block BlockCache::FindBlock(const BlockKey& key, InsertHint hint) {
  return blocks_.Find(key, hint).value_or(nullptr);
}

BlockCache::Segment BlockCache::FindSegment(const BlockKey& key) { return segments_.Find(key).value_or(nullptr); }

BlockCache::Block BlockCache::PeekBlock(const BlockKey& key) { return blocks_.Peek(key).value_or(nullptr); }

BlockCache::Segment BlockCache::PeekSegment(const BlockKey& key) { return segments_.Peek(key).value_or(nullptr); }

void BlockCache::InsertBlock(const BlockKey& key, Block block, InsertHint hint) {
  const std::uint64_t bytes = block->memory_bytes();
  blocks_.Insert(key, std::move(block), bytes, hint);
}

void BlockCache::InsertSegment(const BlockKey& key, Segment segment) {
  const std::uint64_t bytes = segment->memory_bytes();
  segments_.Insert(key, std::move(segment), bytes);
}

}  // namespace millrace
