// From a segment's row to its index: from memory, from the disk cache, or by one small request for its tail, which then
// stands in both. Also the names under which a segment's parts stand in the caches.
#pragma once

#include <memory>
#include <utility>

#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "read/block_cache_state.h"
#include "read/chunk.h"
#include "read/object_block_source.h"
#include "read/partition_reader.h"

namespace millrace {

class SegmentMap;

/// In the index cache.
BlockKey SegmentKey(const SegmentRow& row);
/// In the block cache.
BlockKey KeyOf(const SegmentRow& row, const SegmentBlock& block);
/// Of a run that is a chunk.
inline ChunkKey KeyOf(const SegmentRow& row, const OpenedSegment& segment, BlockRun chunk) {
  return {row.object, row.byte_begin, segment.index->blocks()[chunk.first].byte_begin};
}

/// For one thread.
class SegmentOpener {
 public:
  SegmentOpener(ReadContext& context, SegmentMap& segments, ReadTrace& trace, ChunkFor whose = ChunkFor::kReader)
      : context_(context), cache_(context.blocks.state()), segments_(segments), trace_(trace), whose_(whose) {}

  /// Errors: kNotFound (the object is gone), kCorruption (twice fetched, twice wrong; names object and bytes),
  /// kUnavailable; kTimeout, kClosed (the limits of this thread's RequestScope). Cost: nothing, or one metadata query
  /// and one GET (two for an index beyond the guess).
  Result<std::shared_ptr<const OpenedSegment>> Open(const SegmentRow& row);

 private:
  using Opened = Result<std::shared_ptr<const OpenedSegment>>;

  Opened Load(const SegmentRow& row);
  /// From the bytes of its tail, or from the store if there are none.
  Opened Parse(const SegmentRow& row, const std::string& object, ObjectBlockSource& store, SharedBytes& tail) const;

  ReadContext& context_;
  BlockCache::State& cache_;
  SegmentMap& segments_;
  ReadTrace& trace_;
  const ChunkFor whose_;
};

}  // namespace millrace
