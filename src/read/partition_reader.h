// Any offset of one partition to bytes: tail cache, WAL, block cache, object store, through one call. Crosses every
// boundary without gap or repeat.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "millrace/engine.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

class BlockCache;
class PartitionLog;
class SegmentMap;

/// What every reader of an engine shares; members outlive the readers.
struct ReadContext {
  ObjectStore& objects;
  BlockCache& blocks;
  Clock& clock;
  bool prefetch_enabled = true;
};

/// Stateless: every call says where it begins. Safe from any thread.
class PartitionReader {
 public:
  PartitionReader(PartitionLog& log, SegmentMap& segments, ReadContext& context);
  ~PartitionReader();

  /// Whole batches from the one containing `begin` (or the next one, over a gap), up to `limits.bytes_max` (at least
  /// one batch; none at the visible end). Shape: contiguous, ascending, each slice one whole RecordBatch v2,
  /// CRC-verified. Errors: kOutOfRange with bounds (begin < log_start or > visible end), kUnavailable (store; retry),
  /// kCorruption with damage(), kTimeout. Under OnDamage::kSkip damaged ranges are stepped over and listed in
  /// `skipped`.
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits& limits);
  /// The same decoded: the first record is the first with offset >= begin; records_max cuts exactly.
  Result<ReadResult> Read(Offset begin, const ReadLimits& limits);
  /// First offset whose timestamp is at or past it; none: the visible end.
  Result<Offset> OffsetForTime(std::int64_t timestamp_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
