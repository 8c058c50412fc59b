#include <algorithm>
#include <limits>

#include "base/try.h"
#include "record/record_batch_view.h"
#include "record/record_walk.h"

namespace millrace {

Result<Offset> DecodeRecords(const SharedBytes& batch, const DecodeLimits& limits, std::vector<RecordView>& records) {
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch));
  if (view.size_bytes() != batch.size()) [[unlikely]]
    return Error(ErrorCode::kCorruption, "record batch: followed by bytes that belong to no batch");
  if (limits.from >= view.end_offset()) return view.end_offset();
  SharedBytes inflated;
  std::span<const std::byte> raw = view.stored_records();
  if (view.compression() != Compression::kNone) {
    auto whole = RawRecords(view, nullptr, limits.decoded_bytes_max);
    // What inflates too far is refused as an argument where it is inflated: to a reader the stored bytes are at fault.
    if (!whole && whole.error().code() == ErrorCode::kInvalidArgument)
      return Error(ErrorCode::kCorruption, std::string(whole.error().message()));
    if (!whole) return whole.error();
    inflated = *std::move(whole);
    raw = inflated;
  }
  const std::shared_ptr<const void>& owner = inflated.empty() ? batch.owner() : inflated.owner();

  const std::size_t before = records.size();
  const auto wanted = std::min<std::size_t>(limits.records_max, static_cast<std::size_t>(view.record_count()));
  if (before + wanted > records.capacity()) records.reserve(std::max(before + wanted, records.capacity() * 2));

  const Offset base = view.base_offset();
  const auto from_delta = std::max<std::int64_t>(limits.from - base, 0);
  std::size_t room = limits.records_max;
  Offset next = std::max(base, limits.from);
  const auto walked = WalkRecords(view, raw, [&](const RawRecord& record, std::int64_t timestamp_ms) {
    if (record.offset_delta < from_delta) return true;
    if (room == 0) return false;
    --room;
    const Offset offset = base + record.offset_delta;
    records.emplace_back(offset, timestamp_ms, record.key, record.value, record.headers, owner);
    next = offset + 1;
    return true;
  });
  if (!walked) [[unlikely]] {
    records.resize(before);
    return walked.error();
  }
  return *walked ? view.end_offset() : next;
}

Result<TimestampRange> FindTimestampRange(const RecordBatchView& batch, std::size_t decoded_bytes_max) {
  if (batch.log_append_time()) return TimestampRange{batch.max_timestamp_ms(), batch.max_timestamp_ms()};
  MR_ASSIGN_OR_RETURN(const SharedBytes raw, RawRecords(batch, nullptr, decoded_bytes_max));
  TimestampRange range{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
  MR_TRY(WalkRecords(batch, raw, [&](const RawRecord&, std::int64_t timestamp_ms) {
    range.min_ms = std::min(range.min_ms, timestamp_ms);
    range.max_ms = std::max(range.max_ms, timestamp_ms);
    return true;
  }));
  return range;
}

}  // namespace millrace
