// What an engine has done and holds, in numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/events.h"
#include "millrace/read.h"

namespace millrace {

struct CacheStats {
  std::uint64_t bytes = 0, bytes_max = 0, entries = 0, hits = 0, misses = 0, evictions = 0, wasted_prefetch = 0;
};

struct EngineStats {
  BytesBySource read;
  CacheStats block_cache, segment_cache;
  std::uint64_t appends = 0, appended_bytes = 0, wal_syncs = 0, wal_bytes = 0, upload_pending_bytes = 0;
  std::uint64_t object_puts = 0, object_gets = 0, object_lists = 0, prefetch_used_bytes = 0, prefetch_wasted_bytes = 0;
  std::uint64_t read_memory_bytes = 0, corruptions = 0;
  std::uint64_t wal_index_bytes = 0;  // memory, see wal_index_memory_max
  std::string io_path;                // how the WAL writes here: "staging ring, direct I/O" or a fallback
  std::optional<BackgroundFailure> upload_failure, upkeep_failure;  // while they last, of any partition
  std::optional<BackgroundFailure> cache_failure;                   // why the disk cache is off, or left alone for now
  std::uint64_t damaged_partitions = 0, broken_partitions = 0;      // as recovery found them
  std::uint64_t positions_corrected = 0;                            // of cursors and groups, since this engine opened
  bool clock_doubted = false;                                       // retention by age waits
  bool read_only = false;                                           // as EngineOptions say
};

/// What Engine::Maintain did.
struct MaintenanceReport {
  std::uint64_t uploaded_bytes = 0, records_retired = 0, objects_deleted = 0;
  bool finished = true;  // false: its time was over and more is due
};

}  // namespace millrace
