// One read of one partition as it goes: where it is, what it has, and which limit ends it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "fetch/read_trace.h"
#include "fetch/segment_map.h"
#include "log/partition_log.h"
#include "millrace/bytes.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/request_scope.h"
#include "prefetch/read_stream.h"
#include "prefetch/stream_table.h"
#include "read/cold_reader.h"
#include "read/read_context.h"

namespace millrace {

/// For one call on one thread.
///
///   cursor >= hot_start ──► ReadHot (tail, WAL) ──┐
///   else, or recycled meanwhile, or damaged but   ├─► Take: whole batches until a limit
///   below tiered_end ──► segment blocks ──────────┘
class BatchRead {
 public:
  BatchRead(PartitionLog& log, SegmentMap& segments, StreamTable& streams, ReadContext& context, Offset begin,
            const ReadLimits& limits);

  Result<BatchReadResult> Run();

 private:
  /// What a step says about going on.
  enum class Next { kGoOn, kStop };

  Result<BatchReadResult> ReadOn();
  Result<void> Begin();
  Result<Next> Step();
  Result<Next> StepHot();
  Result<Next> StepCold();
  /// Before the first cold byte: whether this read goes on where one ended.
  void JoinStream();
  void LeaveStream(bool ended_well);
  /// While the caller works on what this read gives, the blocks behind it come into memory.
  void WarmNext();
  Result<Next> TakeBlocks(const SegmentRow& row, std::size_t first_block,
                          const std::shared_ptr<const OpenedSegment>& segment);
  std::uint64_t& CountOf(BlockOrigin origin);
  /// Takes the batch if it fits: kGoOn. Adds its bytes to `source`.
  Result<Next> Take(SharedBytes batch, std::uint64_t& source);
  Result<Next> OnGap(const SegmentRow& row);
  /// The store does not have an object that metadata names: another try, or an error that no reader may step over.
  Result<Next> OnMissing(const SegmentRow& row, const Error& error);
  /// `error` is kCorruption at the cursor: stops before it, is the answer, or, if it names a range of offsets, is
  /// stepped over.
  Result<Next> OnDamage(const Error& error);
  /// An error that is no damage: what was read before it is the answer, and the next read meets it.
  Result<Next> OnError(const Error& error);
  /// A segment that should be there is not: true if metadata or log_start has moved and another try makes sense.
  Result<bool> MovedMeanwhile();
  /// At the visible end: waits for what was acknowledged before this read began. kGoOn: the end has moved.
  Result<Next> AwaitAcknowledged();
  [[nodiscard]] std::uint64_t bytes_left() const {
    return limits_.bytes_max - std::min<std::uint64_t>(limits_.bytes_max, bytes_taken_);
  }
  [[nodiscard]] bool nothing_taken() const { return result_.batches.empty(); }

  PartitionLog& log_;
  SegmentMap& segments_;
  StreamTable& streams_;
  ReadContext& context_;
  const Offset begin_;
  const ReadLimits limits_;
  const RequestScope scope_;  // the deadline of this read, and the stop of its caller

  BatchReadResult result_;
  ReadTrace trace_;
  ColdReader cold_;
  bool joined_stream_ = false, goes_on_ = false;
  std::shared_ptr<ReadStream> stream_;  // none: nothing cold was read, or it began somewhere new
  SegmentRow last_row_;                 // the last segment blocks were taken from, if any were
  std::shared_ptr<const OpenedSegment> last_segment_;
  Offset cursor_;
  Offset visible_end_, acknowledged_end_;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t records_taken_ = 0;
  Offset cold_until_{-1};  // below it, hot reads have failed: segments it is
  bool awaited_ = false;
  int retries_ = 0;
};

}  // namespace millrace
