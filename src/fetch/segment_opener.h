// From a segment's row to its index: from memory, from the disk cache, or by one small request for its tail, which then
// stands in both.
#pragma once

#include <memory>
#include <utility>

#include "cache/opened_block.h"
#include "fetch/fetch_context.h"
#include "fetch/fetched_chunk.h"
#include "fetch/object_block_source.h"
#include "fetch/read_trace.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class SegmentMap;

/// What becomes of the error of another caller's request that this one joined.
enum class JoinedError {
  kOurs,
  kTryOnce,  // it may be a prefetcher's: what befell it is no error of the readers who joined
};

/// For one thread.
class SegmentOpener {
 public:
  SegmentOpener(FetchContext& context, SegmentMap& segments, ReadTrace& trace, ChunkFor whose)
      : context_(context), segments_(segments), trace_(trace), whose_(whose) {}

  /// `joined`: about a request of another caller's that was under way already, and failed.
  /// Errors: kNotFound (the object is gone), kCorruption (twice fetched, twice wrong; names object and bytes),
  /// kUnavailable; kTimeout, kClosed (the limits of this thread's RequestScope). Cost: nothing, or one metadata query
  /// and one GET (two for an index beyond the guess).
  Result<std::shared_ptr<const OpenedSegment>> Open(const SegmentRow& row, JoinedError joined);

 private:
  using Opened = Result<std::shared_ptr<const OpenedSegment>>;

  Opened Load(const SegmentRow& row);
  /// From the bytes of its tail, or from the store if there are none.
  Opened Parse(const SegmentRow& row, const std::string& object, ObjectBlockSource& store, SharedBytes& tail) const;

  FetchContext& context_;
  SegmentMap& segments_;
  ReadTrace& trace_;
  const ChunkFor whose_;
};

}  // namespace millrace
