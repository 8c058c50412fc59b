// What all who fetch bytes of segments share, readers and prefetchers.
#pragma once

#include "cache/block_cache.h"
#include "cache/segment_cache.h"
#include "fetch/flights.h"
#include "fetch/read_counters.h"
#include "fetch/read_memory.h"
#include "fetch/request_threads.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"

namespace millrace {

/// Its members, and itself, outlive who fetches.
struct FetchContext {
  ObjectStore& objects;
  BlockCache& blocks;
  ReadMemory& memory;
  ReadCounters& counters;
  Clock& clock;
  SegmentCache* segment_cache = nullptr;  // none: objects are as near as a cache would be
  RequestThreads* requests = nullptr;     // none: a reader makes its requests itself, however long they take
  Flights flights = {};
};

}  // namespace millrace
