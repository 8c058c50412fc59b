// A chunk of a segment in memory as it is stored, each block checked against the index: what one request brought and
// several readers may take from.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cache/chunk.h"
#include "fetch/read_counters.h"
#include "fetch/read_memory.h"
#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace {

/// Who fetches a chunk: a reader who waits for it, or the prefetcher.
enum class ChunkFor { kReader, kAhead };

/// A block as it came, checked: an error stands for one that is damaged in the store too.
struct FetchedBlock {
  Result<SharedBytes> stored;
  std::vector<SharedBytes> batches;  // of one that is not compressed: checking it was opening it. Else none
};

/// Immutable but for the marks of what was used. The budget has its bytes back when the last holder lets go.
class FetchedChunk {
 public:
  /// `blocks` are those of `run`. `counters` outlive it.
  FetchedChunk(BlockRange run, std::vector<FetchedBlock> blocks, ChunkFor whose, ReadCounters& counters)
      : run_(run), blocks_(std::move(blocks)), used_(blocks_.size()), whose_(whose), counters_(counters) {}
  ~FetchedChunk() {
    if (whose_ != ChunkFor::kAhead) return;
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      if (blocks_[i].stored && !used_[i]) counters_.prefetch_wasted_bytes.fetch_add(blocks_[i].stored->size());
  }
  FetchedChunk(const FetchedChunk&) = delete;
  FetchedChunk& operator=(const FetchedChunk&) = delete;

  void Own(ReadMemory::Reservation reserved) { reserved_ = std::move(reserved); }
  [[nodiscard]] BlockRange run() const { return run_; }
  [[nodiscard]] ChunkFor whose() const { return whose_; }
  /// By its number in the segment.
  [[nodiscard]] const Result<SharedBytes>& block(std::size_t number) const { return opened(number).stored; }
  [[nodiscard]] const FetchedBlock& opened(std::size_t number) const { return blocks_[number - run_.first]; }
  [[nodiscard]] bool whole() const {
    return std::ranges::all_of(blocks_, [](const FetchedBlock& block) { return block.stored.has_value(); });
  }
  /// A reader takes this block: fetching it ahead was not in vain.
  void Use(std::size_t number) const {
    const Result<SharedBytes>& taken = block(number);
    if (whose_ != ChunkFor::kAhead || !taken || used_[number - run_.first].exchange(true)) return;
    counters_.prefetch_used_bytes.fetch_add(taken->size());
  }

 private:
  const BlockRange run_;
  const std::vector<FetchedBlock> blocks_;
  mutable std::vector<std::atomic<bool>> used_;
  const ChunkFor whose_;
  ReadCounters& counters_;
  ReadMemory::Reservation reserved_;
};

using ChunkPointer = std::shared_ptr<const FetchedChunk>;

}  // namespace millrace
