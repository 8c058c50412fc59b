// What readers and prefetchers are fetching right now: what makes one request out of many readers' misses.
#pragma once

#include "base/single_flight.h"
#include "cache/block_cache.h"
#include "cache/block_key.h"
#include "fetch/arriving_chunks.h"

namespace millrace {

/// Each safe from any thread.
struct Flights {
  SingleFlight<BlockKey, BlockCache::Block, BlockKeyHash> blocks;
  SingleFlight<BlockKey, BlockCache::Segment, BlockKeyHash> segments;
  ArrivingChunks chunks;
};

}  // namespace millrace
