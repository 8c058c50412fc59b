// Offsets below tiered_end to verified batches: segment index and blocks from memory where they are, else by ranged
// GETs under the memory budget, one request for neighbours and one for everybody who waits for the same block.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "read/block_cache_state.h"
#include "read/object_block_source.h"
#include "read/partition_reader.h"

namespace millrace {

class SegmentMap;

/// For one read of one partition, on one thread.
class ColdReader {
 public:
  static constexpr std::uint64_t kRequestBytesMax = 1 << 20;  // neighbouring blocks joined into one request

  ColdReader(ReadContext& context, SegmentMap& segments, ReadTrace& trace,
             std::optional<std::chrono::nanoseconds> deadline)
      : context_(context), cache_(context.blocks.state()), segments_(segments), trace_(trace), deadline_(deadline) {}

  /// Errors: kNotFound (the object is gone), kCorruption (twice fetched, twice wrong; names object and bytes),
  /// kUnavailable. Cost: nothing, or one metadata query and one or two GETs.
  Result<std::shared_ptr<const OpenedSegment>> Segment(const SegmentRow& row);

  struct Block {
    std::shared_ptr<const OpenedBlock> opened;
    bool from_cache = false;
  };
  /// Blocks of the segment from number `first` on, up to `bytes_wanted` raw bytes, at least one; fewer if a later one
  /// fails. Errors: those of the first one, with its offsets, object and bytes in damage().
  Result<std::vector<Block>> Blocks(const SegmentRow& row, const OpenedSegment& segment, std::size_t first,
                                    std::uint64_t bytes_wanted);

 private:
  using BlockPointer = std::shared_ptr<const OpenedBlock>;

  Result<std::shared_ptr<const OpenedSegment>> LoadSegment(const SegmentRow& row);
  /// Fetches blocks [first, end), which this thread leads, and lands them. One result each.
  std::vector<Result<BlockPointer>> FetchRun(const SegmentRow& row, const OpenedSegment& segment, std::size_t first,
                                             std::size_t end);
  Result<BlockPointer> OpenVerified(const SegmentBlock& block, const SharedBytes& stored) const;
  Error DescribeDamage(const Error& error, const SegmentRow& row, const OpenedSegment& segment,
                       const SegmentBlock& block) const;

  ReadContext& context_;
  BlockCache::State& cache_;
  SegmentMap& segments_;
  ReadTrace& trace_;
  const std::optional<std::chrono::nanoseconds> deadline_;
};

}  // namespace millrace
