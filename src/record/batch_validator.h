// What a batch must be before it is let into the log: its own length, a right CRC, records that agree with the header,
// within limits.
#pragma once

#include <cstdint>
#include <span>

#include "millrace/result.h"
#include "record/record_batch_view.h"

namespace millrace {

struct BatchLimits {
  std::uint64_t record_bytes_max = 1 << 20;
  std::uint64_t batch_bytes_max = 16 << 20;  // as sent, and again when inflated
};

/// `bytes` is exactly one batch as a producer sent it: offset deltas are 0, 1, 2, … without gaps. Its base offset
/// and epoch are not judged; its maximum timestamp is at least that of each record, for a search by time goes by it.
/// Errors: kCorruption (CRC, lengths, counts, deltas), kInvalidArgument (limits, maximum timestamp), kUnsupported
/// (transactional, control). Cost: one pass for the CRC, one over the records (inflated if compressed, under a cap).
Result<RecordBatchView> ValidateBatch(std::span<const std::byte> bytes, const BatchLimits& limits);

}  // namespace millrace
