// One request for chunks of a segment that lie next to each other, made by the reader or prefetcher that leads them:
// every block is checked, those who wait are told, and the disk cache gets its share.
//
//   room on disk ─► GET ─► check each block (a damaged one: once more, alone) ─► Arrive ─► ... used ... ─► Keep ─► Done
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/chunk.h"
#include "cache/eviction_queue.h"
#include "cache/opened_block.h"
#include "cache/segment_cache.h"
#include "fetch/arriving_chunks.h"
#include "fetch/fetch_context.h"
#include "fetch/fetched_chunk.h"
#include "fetch/object_block_source.h"
#include "fetch/read_memory.h"
#include "fetch/read_trace.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Neighbouring chunks share a request up to this.
inline constexpr std::uint64_t kJoinBytesMax = 8 << 20;

/// Whether `next` still goes into a request of up to `bytes_max` that begins with `first`. Requests end at multiples of
/// their size, so that streams over the same bytes, begun at different places, ask for the same; the last one of a
/// segment takes a rest of up to a quarter along.
inline bool Joins(std::span<const SegmentBlock> blocks, BlockRange first, BlockRange next, std::uint64_t bytes_max) {
  const auto window_of = [&](std::size_t block) { return blocks[block].byte_begin / kChunkWindowBytes; };
  const std::uint64_t windows = std::bit_floor(std::max<std::uint64_t>(bytes_max / kChunkWindowBytes, 1));
  const std::uint64_t end = (window_of(first.first) / windows + 1) * windows;
  return window_of(next.first) < end || window_of(blocks.size() - 1) < end + windows / 4;
}

/// One request, from before it is sent until its chunks are let go. Not thread-safe. It leads every chunk given to it.
class ChunkFetch {
 public:
  struct Order {
    SegmentRow row;
    std::shared_ptr<const OpenedSegment> segment;
    std::vector<BlockRange> chunks;  // neighbours, ascending
    ChunkFor whose = ChunkFor::kReader;
    InsertHint hint = InsertHint::kRandom;
  };
  ChunkFetch(FetchContext& context, Order order);
  /// Those not kept by then are not stored, and let go.
  ~ChunkFetch();
  ChunkFetch(const ChunkFetch&) = delete;
  ChunkFetch& operator=(const ChunkFetch&) = delete;

  /// As many bytes as the blocks have in store.
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
  /// `reserved`: for each chunk, held as long as the chunk is; or none. Errors: of the request, which all who wait get.
  Result<void> Run(ReadTrace& trace, std::vector<ReadMemory::Reservation> reserved);
  [[nodiscard]] std::span<const ChunkPointer> chunks() const { return arrived_; }
  /// Stores chunk number `i` of the order on disk. False: it is not there.
  bool Keep(std::size_t i);
  /// Leads no longer; before Run, it fails with `error`.
  void Release(const Error& error);

 private:
  /// Errors: of this reader's own limits, while a damaged block is asked for again.
  Result<std::vector<FetchedBlock>> Check(ObjectBlockSource& store, BlockRange chunk,
                                          std::span<SharedBytes> parts) const;
  [[nodiscard]] ChunkKey Key(BlockRange chunk) const { return KeyOf(order_.row, *order_.segment, chunk); }

  FetchContext& context_;
  ArrivingChunks& arriving_;
  const Order order_;
  std::uint64_t stored_bytes_ = 0;
  std::vector<SegmentCache::Admission> rooms_;  // one for each chunk, or none at all
  std::vector<ChunkPointer> arrived_;
  bool leads_ = true;
};

/// Names the object and its bytes.
Error DescribeDamage(const Error& error, const SegmentRow& row, const OpenedSegment& segment,
                     const SegmentBlock& block);

}  // namespace millrace
