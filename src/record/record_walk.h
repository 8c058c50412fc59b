// One pass over the records of a batch, checked on the way: every length within its bytes, offset deltas ascending and
// within the header's, timestamps in range, the count right, nothing left over.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/try.h"
#include "millrace/bytes.h"
#include "millrace/result.h"
#include "record/compressor.h"
#include "record/raw_record.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace {

/// What a batch is inflated to at most where only its records' times are wanted, 32 times what a batch may be by
/// default: a few KiB may claim to hold a GiB, and its header has times, too.
inline constexpr std::size_t kInflatedForTimesMax = 32 << 20;

/// The records of `batch` as they are before compression. Without compression a slice of its bytes that shares `owner`.
inline Result<SharedBytes> RawRecords(const RecordBatchView& batch, const std::shared_ptr<const void>& owner,
                                      std::size_t decoded_bytes_max) {
  const auto stored = batch.stored_records();
  if (batch.compression() == Compression::kNone) return SharedBytes(owner, stored);
  MR_ASSIGN_OR_RETURN(SharedBytes raw, Inflate(batch.compression(), stored, decoded_bytes_max));
  if (static_cast<std::size_t>(batch.record_count()) > raw.size() / batch_layout::kRecordBytesMin)
    return Error(ErrorCode::kCorruption, "record batch: more records counted than the inflated bytes can hold");
  return raw;
}

/// The error for the record at `index` of `batch`.
Error BadRecord(const RecordBatchView& batch, std::int32_t index, std::string_view why);

/// Calls `visit(record, timestamp_ms, delta)` for each record until it returns false. True: all were visited, and
/// nothing is wrong with the batch. Errors: kCorruption.
template <class Visit>
Result<bool> WalkRecords(const RecordBatchView& batch, std::span<const std::byte> raw, Visit visit) {
  const std::byte* at = raw.data();
  const std::byte* const end = at + raw.size();
  const std::int32_t count = batch.record_count();
  const auto last_delta = static_cast<std::int32_t>(batch.end_offset() - batch.base_offset() - 1);
  const std::int64_t base_timestamp_ms = batch.base_timestamp_ms();
  const bool log_append_time = batch.log_append_time();
  std::int32_t previous_delta = -1;
  RawRecord record;
  for (std::int32_t index = 0; index < count; ++index) {
    at = ReadRawRecord(at, end, record);
    if (at == nullptr) [[unlikely]]
      return BadRecord(batch, index, "is malformed");
    if (record.offset_delta <= previous_delta || record.offset_delta > last_delta) [[unlikely]]
      return BadRecord(batch, index, "has an offset delta out of range");
    previous_delta = record.offset_delta;
    std::int64_t timestamp_ms = 0;
    if (__builtin_add_overflow(base_timestamp_ms, record.timestamp_delta, &timestamp_ms)) [[unlikely]]
      return BadRecord(batch, index, "has a timestamp out of range");
    if (log_append_time) timestamp_ms = batch.max_timestamp_ms();
    if (!visit(std::as_const(record), timestamp_ms)) return false;
  }
  if (at != end) [[unlikely]]
    return BadRecord(batch, count - 1, "is followed by bytes that belong to no record");
  return true;
}

}  // namespace millrace
