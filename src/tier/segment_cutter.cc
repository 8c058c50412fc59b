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

Result<CutSegment> CutSegmentFrom(PartitionLog& log, Offset begin, Offset end, std::uint64_t bytes_max,
                                  SegmentCodec codec) {
  SegmentBuilder builder({.partition = log.key(), .codec = codec});
  CutSegment cut;
  Offset at = begin;
  bool stopped = false;
  while (!stopped && at < end && (builder.empty() || cut.raw_bytes < bytes_max)) {
    const std::uint64_t room = builder.empty() ? bytes_max : bytes_max - cut.raw_bytes;
    auto hot = log.ReadHot(at, end, std::min(room, kReadBytes));
    // Read once more before a verdict that is kept for ever.
    if (!hot && hot.error().code() == ErrorCode::kCorruption) hot = log.ReadHot(at, end, std::min(room, kReadBytes));
    if (!hot) {
      if (!builder.empty()) break;
      if (hot.error().code() == ErrorCode::kCorruption) return CutGap(hot.error(), begin, end);
      return hot.error();
    }
    for (const SharedBytes& batch : hot->batches) {
      if (auto added = builder.Add(batch); !added) {
        if (builder.empty()) return added.error();
        stopped = true;
        break;
      }
      MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch));
      MR_DCHECK(view.base_offset() <= at && at < view.end_offset(), view.base_offset().value(), at.value());
      at = view.end_offset();
      cut.raw_bytes += batch.size();
    }
    if (hot->batches.empty()) break;
  }
  if (builder.empty()) return Error(ErrorCode::kOutOfRange, "nothing to take from the hot tier");
  MR_ASSIGN_OR_RETURN(cut.segment, builder.Finish());
  MR_CHECK(cut.segment.end == at && cut.segment.size_bytes > 0 && cut.raw_bytes > 0, cut.segment.end.value(),
           at.value(), cut.segment.size_bytes, cut.raw_bytes);
  cut.segment.base = begin;
  return cut;
}

}  // namespace millrace
