// How a segment is cut for the disk cache: into runs of whole blocks, so that each block can be checked alone by its
// own CRC wherever the run came from, and into one tail, its index and footer.
//
//   segment   | b b b b b b | b b b | b b b b | index footer |
//   chunk     |<- begin in  |<- in  |<- in    |<- tail     ->|
//             |   MiB 0   ->|  MiB 1|  MiB 2  |
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "segment/segment_reader.h"

namespace millrace {

/// A block belongs to the chunk of the window its first byte lies in. So a chunk is at most this plus one block long.
inline constexpr std::uint64_t kChunkWindowBytes = 1 << 20;
/// byte_begin of the chunk that is a segment's index and footer.
inline constexpr std::uint64_t kTailChunk = UINT64_MAX;

/// Names the same bytes for ever: object ids are never reused, and segments never change.
struct ChunkKey {
  ObjectId object{};
  std::uint64_t segment_begin = 0;  // in the object
  std::uint64_t byte_begin = 0;     // of its first block, in the segment; or kTailChunk
  friend bool operator==(const ChunkKey&, const ChunkKey&) = default;
};

/// Blocks [first, end) of a segment, back to back.
struct BlockRange {
  std::size_t first = 0, end = 0;
  friend bool operator==(const BlockRange&, const BlockRange&) = default;
};

/// The chunk that block number `block` lies in. Cost: two binary searches.
inline BlockRange ChunkOf(std::span<const SegmentBlock> blocks, std::size_t block) {
  const std::uint64_t window = blocks[block].byte_begin / kChunkWindowBytes;
  const auto first_from = [&](std::uint64_t byte) {
    return static_cast<std::size_t>(std::ranges::lower_bound(blocks, byte, {}, &SegmentBlock::byte_begin) -
                                    blocks.begin());
  };
  return {first_from(window * kChunkWindowBytes), first_from((window + 1) * kChunkWindowBytes)};
}

/// Where the bytes of a run lie in its segment. Precondition: it is not empty.
inline ByteRange BytesOf(std::span<const SegmentBlock> blocks, BlockRange run) {
  const std::uint64_t begin = blocks[run.first].byte_begin;
  const SegmentBlock& last = blocks[run.end - 1];
  return {begin, last.byte_begin + last.stored_bytes - begin};
}

}  // namespace millrace
