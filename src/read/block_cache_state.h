// Inside the block cache: its keys and values, and the flights of blocks being fetched.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/single_flight.h"
#include "millrace/bytes.h"
#include "millrace/metadata_store.h"
#include "read/arriving_chunks.h"
#include "read/block_cache.h"
#include "read/sharded_cache.h"
#include "segment/segment_reader.h"

namespace millrace {

/// A segment by where it lies, or one of its blocks. Never reused, whatever becomes of topics and names.
struct BlockKey {
  ObjectId object{};
  std::uint64_t segment_begin = 0;  // in the object
  std::uint64_t block_begin = 0;    // in the segment; 0 for the segment itself
  friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

struct BlockKeyHash {
  std::size_t operator()(const BlockKey& key) const noexcept {
    std::uint64_t words[2];  // random bits already
    std::memcpy(words, key.object.data(), sizeof words);
    std::uint64_t mixed = words[0] ^ (words[1] * 0x9e3779b97f4a7c15U) ^ (key.segment_begin + (key.block_begin << 20));
    mixed = (mixed ^ (mixed >> 31)) * 0xbf58476d1ce4e5b9U;
    return mixed ^ (mixed >> 29);
  }
};

/// A block verified, decompressed and split; every batch has passed its CRC.
struct OpenedBlock {
  Offset base, end;
  std::vector<SharedBytes> batches;
  std::uint64_t raw_bytes = 0;

  [[nodiscard]] std::uint64_t memory_bytes() const {
    return raw_bytes + batches.capacity() * sizeof(SharedBytes) + sizeof *this + kEntryOverhead;
  }
  static constexpr std::uint64_t kEntryOverhead = 160;  // slot, map node, counters
};

/// A segment's index, and where its object lies.
struct OpenedSegment {
  std::shared_ptr<const SegmentIndex> index;
  std::string object_key;
};

struct BlockCache::State {
  explicit State(const BlockCacheOptions& options)
      : blocks(options.block_bytes_max, options.eviction), segments(options.index_bytes_max) {}

  ShardedCache<BlockKey, std::shared_ptr<const OpenedBlock>, BlockKeyHash> blocks;
  ShardedCache<BlockKey, std::shared_ptr<const OpenedSegment>, BlockKeyHash> segments;
  SingleFlight<BlockKey, std::shared_ptr<const OpenedBlock>, BlockKeyHash> block_flights;
  SingleFlight<BlockKey, std::shared_ptr<const OpenedSegment>, BlockKeyHash> segment_flights;
  ArrivingChunks chunks;
};

}  // namespace millrace
