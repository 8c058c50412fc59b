// The names under which a segment's parts stand in the cache in memory: object id + the segment's place in the object +
// the block's place in the segment. Object ids are never reused, so a re-created topic never sees its namesake's
// blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "millrace/metadata_store.h"
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

/// Of a segment's index.
BlockKey SegmentKey(const SegmentRow& row);
/// Of one of its blocks.
BlockKey KeyOf(const SegmentRow& row, const SegmentBlock& block);

}  // namespace millrace
