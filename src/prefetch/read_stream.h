// One sequential reader as the prefetcher sees it.
//
//   asked for:  | read now | here | here | on its way | on its way |      |
//               ^ position ^ wanted up to                         ^ frontier, at most a window ahead of what is wanted
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "cache/chunk.h"
#include "cache/opened_block.h"
#include "fetch/arriving_chunks.h"
#include "fetch/requests_ahead.h"
#include "millrace/metadata_store.h"
#include "millrace/types.h"
#include "prefetch/stream_window.h"

namespace millrace {

class SegmentMap;

/// Guarded by the prefetcher's mutex, but for `requests`.
struct ReadStream {
  explicit ReadStream(SegmentMap& map) : segments(map) {}

  struct Segment {
    SegmentRow row;
    std::shared_ptr<const OpenedSegment> opened;
  };
  /// A chunk between position and frontier.
  struct Asked {
    std::uint64_t ticket = 0;
    ChunkKey key;
    Offset begin, end;
    std::uint64_t bytes = 0;
    bool ahead = true;          // the reader has not come to it
    bool coming = true;         // on its way, or about to be
    ArrivingChunks::Hold hold;  // none: not begun, or near without us
  };

  SegmentMap& segments;
  RequestsAhead requests;
  StreamWindow window;
  Segment current;           // where the frontier is; not opened: the stream has not begun
  std::size_t frontier = 0;  // number of the first block not asked for
  Segment next;              // behind it, once opened
  bool looking_for_next = false, no_next = false;
  std::deque<Asked> asked;
  std::uint64_t ahead_bytes = 0, coming_bytes = 0;  // of what is asked for
  Offset grows_from;                                // the reader must get here before the window doubles again
  std::chrono::nanoseconds used_at{};
  bool active = false;  // known to the prefetcher, counts for the shares
};

}  // namespace millrace
