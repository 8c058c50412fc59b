// What a read asks for, what it answers, and what it cost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/record.h"
#include "millrace/types.h"

namespace millrace {

struct ReadRequest {
  TopicPartition partition;
  Offset begin;
};

struct BytesBySource {
  std::uint64_t tail = 0, wal = 0, block_cache = 0, segment_cache = 0, object_store = 0;
};

/// What a read stood still for.
struct WaitByCause {
  std::chrono::nanoseconds sync{};    // of what was acknowledged and not yet synced
  std::chrono::nanoseconds store{};   // its own requests
  std::chrono::nanoseconds shared{};  // requests under way for another reader, or ahead of this one
  std::chrono::nanoseconds memory{};  // room in read_memory_max
  std::chrono::nanoseconds cache{};   // the disk cache

  [[nodiscard]] std::chrono::nanoseconds sum() const { return sync + store + shared + memory + cache; }
};

/// Where a read's bytes came from and what it cost.
struct ReadExplanation {
  BytesBySource bytes;
  std::uint64_t prefetched = 0;            // of the object store's bytes, those that were fetched ahead
  std::uint64_t requests = 0, shared = 0;  // object store requests made, and joined while another reader made them
  std::chrono::nanoseconds wait{};
  WaitByCause wait_by_cause;
  double cost_usd = 0;  // of the requests, at list prices
  struct Range {
    std::string object;
    std::uint64_t offset = 0, length = 0;
  };
  std::vector<Range> ranges;  // requested from the object store

  static constexpr std::size_t kRangesMax = 1'000;
  /// Adds what `more` tells; of all ranges, the first thousand are kept.
  void Add(const ReadExplanation& more);
};

inline void ReadExplanation::Add(const ReadExplanation& more) {
  bytes.tail += more.bytes.tail;
  bytes.wal += more.bytes.wal;
  bytes.block_cache += more.bytes.block_cache;
  bytes.segment_cache += more.bytes.segment_cache;
  bytes.object_store += more.bytes.object_store;
  prefetched += more.prefetched;
  requests += more.requests;
  shared += more.shared;
  wait += more.wait;
  wait_by_cause.sync += more.wait_by_cause.sync;
  wait_by_cause.store += more.wait_by_cause.store;
  wait_by_cause.shared += more.wait_by_cause.shared;
  wait_by_cause.memory += more.wait_by_cause.memory;
  wait_by_cause.cache += more.wait_by_cause.cache;
  cost_usd += more.cost_usd;
  for (const Range& range : more.ranges)
    if (ranges.size() < kRangesMax) ranges.push_back(range);
}

struct ReadResult {
  std::vector<RecordView> records;
  Offset next;            // where to go on
  Offset high_watermark;  // the partition's visible end
  Offset log_start;
  std::vector<DamagedRange> skipped;  // lost with a disk; under OnDamage::kSkip damage too
  ReadExplanation explanation;
};

/// The same as whole batches, undecoded: contiguous, ascending, each slice one RecordBatch v2. What a server sends on.
struct BatchReadResult {
  std::vector<SharedBytes> batches;
  Offset next, high_watermark, log_start;
  std::vector<DamagedRange> skipped;
  ReadExplanation explanation;
};

}  // namespace millrace
