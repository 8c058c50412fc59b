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

/// Of an engine that reads a log from its object store alone, while somebody else writes it.
struct FollowStatistics {
  std::uint32_t generation = 0;              // of the process that writes there
  std::int64_t snapshot_ms = 0;              // wall time of the snapshot that it rests on; 0: there is none
  std::uint64_t objects = 0, looks = 0;      // objects behind that snapshot; looks at the store since it was opened
  std::int64_t looked_ms = 0;                // wall time of the last one that succeeded
  std::optional<BackgroundFailure> failure;  // while it lasts: what is new is not seen
};

struct EngineStats {
  BytesBySource read;
  CacheStats block_cache, segment_cache;
  std::uint64_t appends = 0, appended_bytes = 0, wal_syncs = 0, wal_bytes = 0, upload_pending_bytes = 0;
  std::uint64_t object_puts = 0, object_gets = 0, object_lists = 0, prefetch_used_bytes = 0, prefetch_wasted_bytes = 0;
  std::uint64_t read_memory_bytes = 0, corruptions = 0;
  std::uint64_t wal_index_bytes = 0;  // memory, see wal_index_memory_max
  std::uint64_t wal_read_bytes = 0;   // of WAL files, by readers and uploads; what is in memory is not read
  /// Producers known, a partition each; those that went since this engine opened, for want of room and for their age;
  /// appends that came again.
  std::uint64_t producers = 0, producers_evicted = 0, producers_expired = 0, appends_repeated = 0;
  std::string io_path;  // how the WAL writes here: "staging ring, direct I/O" or a fallback
  std::optional<BackgroundFailure> upload_failure, upkeep_failure;  // while they last, of any partition
  std::optional<BackgroundFailure> cache_failure;                   // why the disk cache is off, or left alone for now
  std::uint64_t damaged_partitions = 0, broken_partitions = 0;      // as recovery found them
  std::uint64_t positions_corrected = 0;                            // of cursors and groups, since this engine opened
  bool clock_doubted = false;                                       // retention by age waits
  bool read_only = false;                                           // as EngineOptions say
  std::string object_store;                // the log's home, as a URL; "": a program brought it along
  std::optional<Error> fenced;             // why this directory writes nothing any more
  std::optional<FollowStatistics> follow;  // of a log that is read from its object store alone
  std::uint64_t undeletable = 0;  // objects whose deletion was refused, and is tried again after pauses that grow
  std::int64_t undeletable_since_ms = 0;  // wall time; also of earlier processes, as is the number
  std::string undeletable_why;            // of the first of them
};

/// What Engine::Maintain did.
struct MaintenanceReport {
  std::uint64_t uploaded_bytes = 0, records_retired = 0, objects_deleted = 0;
  bool finished = true;  // false: its time was over and more is due
};

}  // namespace millrace
