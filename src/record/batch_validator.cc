#include "record/batch_validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/try.h"
#include "record/record_walk.h"

namespace millrace {
namespace {

Error OverLimit(std::string_view what, std::uint64_t bytes, std::string_view limit, std::uint64_t bytes_max) {
  return {ErrorCode::kInvalidArgument, fmt::format("{} has {} bytes; {} is {}", what, bytes, limit, bytes_max)};
}

}  // namespace

Result<RecordBatchView> ValidateBatch(std::span<const std::byte> bytes, const BatchLimits& limits) {
  if (bytes.size() > limits.batch_bytes_max)
    return OverLimit("the batch", bytes.size(), "batch_bytes_max", limits.batch_bytes_max);
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(bytes));
  if (view.size_bytes() != bytes.size())
    return Error(ErrorCode::kCorruption,
                 fmt::format("record batch: {} bytes follow it", bytes.size() - view.size_bytes()));
  MR_TRY(view.VerifyCrc());
  if (view.transactional()) return Error(ErrorCode::kUnsupported, "record batch: transactions are not supported");
  if (view.control()) return Error(ErrorCode::kUnsupported, "record batch: a producer may not send control batches");
  if (view.end_offset() - view.base_offset() != view.record_count())
    return Error(ErrorCode::kCorruption, fmt::format("record batch: {} records over {} offsets", view.record_count(),
                                                     view.end_offset() - view.base_offset()));

  MR_ASSIGN_OR_RETURN(const SharedBytes raw, RawRecords(view, nullptr, limits.batch_bytes_max));
  std::uint64_t largest = 0;
  std::int64_t latest_ms = std::numeric_limits<std::int64_t>::min();
  // As many strictly ascending deltas as offsets: none is left out.
  MR_TRY(WalkRecords(view, raw, [&](const RawRecord& record, std::int64_t timestamp_ms) {
    latest_ms = std::max(latest_ms, timestamp_ms);
    largest = std::max(largest, PayloadBytes(record));
    return true;
  }));
  if (largest > limits.record_bytes_max)
    return OverLimit("a record", largest, "record_bytes_max", limits.record_bytes_max);
  if (!view.log_append_time() && latest_ms > view.max_timestamp_ms())
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("record batch: the header's maximum timestamp is {}, a record's is {}",
                             view.max_timestamp_ms(), latest_ms));
  return view;
}

}  // namespace millrace
