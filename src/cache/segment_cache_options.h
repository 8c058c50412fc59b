// What the disk cache is told when it opens, who asks it, and what it counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "millrace/options.h"
#include "millrace/statistics.h"

namespace millrace {

struct SegmentCacheOptions {
  std::filesystem::path directory;    // what is foreign in its folder `chunks` is removed
  std::uint64_t bytes_max = 1 << 30;  // of all files, those being written included; 0: no cache
  EvictionPolicy eviction = EvictionPolicy::kS3Fifo;
  /// Called each time the disk fails, under no lock, by the call it failed; not for what Open meets: Stats tells that.
  std::function<void(const BackgroundFailure&)> on_failure;
};

/// For whom: hits and misses count only readers; prefetchers are counted apart.
enum class Lookup { kReader, kPrefetch };

struct SegmentCacheStats : CacheStats {
  std::uint64_t prefetch_hits = 0, prefetch_misses = 0;  // lookups by the prefetcher
  std::uint64_t prefetch_used_bytes = 0,
                prefetch_wasted_bytes = 0;   // of prefetched chunks: first read by a reader; or gone unread
  std::uint64_t failures = 0;                // I/O errors of the cache's disk
  bool available = false;                    // false: off, or paused after a failure
  std::optional<BackgroundFailure> failure;  // while it lasts: why it is off, or left alone
};

}  // namespace millrace
