// What everybody shares who fetches bytes of segments, reader or prefetcher.
#pragma once

#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "read/block_cache.h"
#include "read/flights.h"
#include "read/read_counters.h"
#include "read/read_memory.h"
#include "read/request_threads.h"
#include "read/segment_cache.h"

namespace millrace {

/// Its members, and itself, outlive who fetches.
struct FetchContext {
  ObjectStore& objects;
  BlockCache& blocks;
  ReadMemory& memory;
  ReadCounters& counters;
  Clock& clock;
  SegmentCache* segment_cache = nullptr;  // none: objects are as near as a cache would be
  RequestThreads* requests = nullptr;     // none: a reader makes his requests himself, however long they take
  Flights flights = {};
};

}  // namespace millrace
