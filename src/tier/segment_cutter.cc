#include "tier/segment_cutter.h"

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "log/partition_log.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

constexpr std::uint64_t kReadBytes = 1 << 20;  // at a time, so that memory holds blocks and not the whole range

/// Errors: `error` itself, if it names no range to step over.
Result<CutSegment> CutGap(const Error& error, Offset begin, Offset end) {
  const DamagedRange* damage = error.damage();
  if (damage == nullptr || damage->end <= begin) return error;
  CutSegment cut{.damage = error};
  cut.segment.base = begin;
  cut.segment.end = std::min(damage->end, end);
  MR_CHECK(cut.segment.base < cut.segment.end, begin.value(), end.value());
  return cut;
}

}  // namespace

Result<void> SegmentCutter::Add(const SharedBytes& batch) {
  MR_TRY(builder_.Add(batch));
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch));
  MR_DCHECK(view.base_offset() <= next_ && next_ < view.end_offset(), view.base_offset().value(), next_.value());
  next_ = view.end_offset();
  raw_bytes_ += batch.size();
  return {};
}

Result<CutSegment> SegmentCutter::Finish() {
  CutSegment cut{.raw_bytes = raw_bytes_};
  MR_ASSIGN_OR_RETURN(cut.segment, builder_.Finish());
  MR_CHECK(cut.segment.end == next_ && cut.segment.size_bytes > 0 && cut.raw_bytes > 0, cut.segment.end.value(),
           next_.value(), cut.segment.size_bytes, cut.raw_bytes);
  cut.segment.base = begin_;
  return cut;
}

Result<CutSegment> CutSegmentFrom(PartitionLog& log, Offset begin, Offset end, std::uint64_t bytes_max,
                                  SegmentCodec codec) {
  SegmentCutter cutter({.partition = log.key(), .codec = codec}, begin);
  bool stopped = false;
  while (!stopped && cutter.next() < end && (cutter.empty() || cutter.raw_bytes() < bytes_max)) {
    const std::uint64_t room = std::min(bytes_max - cutter.raw_bytes(), kReadBytes);
    auto hot = log.ReadHot(cutter.next(), end, room);
    // Read once more before a verdict that is kept for ever.
    if (!hot && hot.error().code() == ErrorCode::kCorruption) hot = log.ReadHot(cutter.next(), end, room);
    if (!hot) {
      if (!cutter.empty()) break;
      if (hot.error().code() == ErrorCode::kCorruption) return CutGap(hot.error(), begin, end);
      return hot.error();
    }
    for (const SharedBytes& batch : hot->batches) {
      if (auto added = cutter.Add(batch); !added) {
        if (cutter.empty()) return added.error();
        stopped = true;
        break;
      }
    }
    if (hot->batches.empty()) break;
  }
  if (cutter.empty()) return Error(ErrorCode::kOutOfRange, "nothing to take from the hot tier");
  return cutter.Finish();
}

}  // namespace millrace
