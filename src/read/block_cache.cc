#include "read/block_cache.h"

#include "read/block_cache_state.h"

namespace millrace {

BlockCache::BlockCache(const BlockCacheOptions& options) : state_(std::make_unique<State>(options)) {}

BlockCache::~BlockCache() = default;

CacheStats BlockCache::Stats() const { return state_->blocks.Stats(); }

CacheStats BlockCache::IndexStats() const { return state_->segments.Stats(); }

}  // namespace millrace
