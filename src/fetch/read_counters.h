// Totals over all reads, for EngineStats.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace {

struct ReadCounters {
  std::atomic<std::uint64_t> tail_bytes{0}, wal_bytes{0}, block_cache_bytes{0}, segment_cache_bytes{0},
      object_store_bytes{0};
  std::atomic<std::uint64_t> requests{0}, shared{0}, corruptions{0};
  std::atomic<std::uint64_t> prefetch_used_bytes{0}, prefetch_wasted_bytes{0};  // as stored
};

}  // namespace millrace
