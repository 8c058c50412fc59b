// Any offset of one partition to bytes: tail cache, WAL, block cache, object store, through one call. Crosses every
// boundary without gap or repeat.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/request_scope.h"
#include "millrace/result.h"
#include "millrace/statistics.h"

namespace millrace {

class BlockCache;
class RequestThreads;
class BlockWarmer;
class PartitionLog;
class Prefetcher;
class ReadMemory;
class SegmentCache;
class SegmentMap;

/// Totals over all reads, for EngineStats.
struct ReadCounters {
  std::atomic<std::uint64_t> tail_bytes{0}, wal_bytes{0}, block_cache_bytes{0}, segment_cache_bytes{0},
      object_store_bytes{0};
  std::atomic<std::uint64_t> requests{0}, shared{0}, corruptions{0};
  std::atomic<std::uint64_t> prefetch_used_bytes{0}, prefetch_wasted_bytes{0};  // as stored
};

/// What every reader of an engine shares; members outlive the readers.
struct ReadContext {
  ObjectStore& objects;
  BlockCache& blocks;
  ReadMemory& memory;
  ReadCounters& counters;
  Clock& clock;
  SegmentCache* segment_cache = nullptr;  // none: objects are as near as a cache would be
  Prefetcher* prefetcher = nullptr;       // none: nothing is fetched ahead
  BlockWarmer* warmer = nullptr;          // none: near blocks are read when they are wanted
  RequestThreads* requests = nullptr;     // none: a reader makes his requests himself, however long they take
};

/// Until when a read waits for anything: as `limits` say, from now on.
RequestLimits LimitsOf(const ReadLimits& limits, const Clock& clock);

/// Every call says where it begins; all that is kept between calls is what to fetch ahead. Safe from any thread.
class PartitionReader {
 public:
  PartitionReader(PartitionLog& log, SegmentMap& segments, ReadContext& context);
  ~PartitionReader();

  /// Whole batches from the one containing `begin` (or the next one, over a gap), up to `limits.bytes_max` (at least
  /// one batch; none at the visible end). Shape: contiguous, ascending, each slice one whole RecordBatch v2,
  /// CRC-verified. Errors: kOutOfRange with bounds (begin < log_start or > visible end), kUnavailable (store; retry),
  /// kCorruption with damage(), kTimeout, kClosed (the caller's RequestScope was told to stop). Under OnDamage::kSkip
  /// damaged ranges are stepped over and listed in `skipped`; an error that names no range ends the read all the same.
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits& limits);
  /// The same decoded: the first record is the first with offset >= begin; records_max cuts exactly.
  Result<ReadResult> Read(Offset begin, const ReadLimits& limits);
  /// First offset whose timestamp is at or past it; none: the visible end.
  Result<Offset> OffsetForTime(std::int64_t timestamp_ms);
  /// A reader that got records up to `read_to` goes on at `next`, having taken fewer.
  void WillGoOn(Offset read_to, Offset next);
  /// Nobody goes on at `next`, where a read ended: what was fetched ahead for it goes.
  void Abandon(Offset next);
  [[nodiscard]] const TopicPartition& name() const;
  [[nodiscard]] Clock& clock() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
