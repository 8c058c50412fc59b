// Any offset of one partition to bytes: tail cache, WAL, block cache, object store, through one call. Crosses every
// boundary without gap or repeat.
#pragma once

#include <cstdint>
#include <memory>

#include "millrace/clock.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"
#include "millrace/types.h"
#include "read/read_context.h"

namespace millrace {

class PartitionLog;
class SegmentMap;

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
  /// No reader goes on at `next`, where a read ended: what was fetched ahead for it goes.
  void Abandon(Offset next);
  [[nodiscard]] const TopicPartition& name() const;
  [[nodiscard]] Clock& clock() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
