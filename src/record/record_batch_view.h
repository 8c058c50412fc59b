// RecordBatch v2, looked at without a copy. The unit at rest and on the wire; its layout is drawn in
// docs/format/record-batch.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/options.h"
#include "millrace/record.h"
#include "millrace/result.h"
#include "record/record_batch_layout.h"

namespace millrace {

/// A batch whose header has been checked against the bytes at hand. Does not own them.
class RecordBatchView {
 public:
  /// The batch at the front of `bytes` (more may follow). Checks magic, length, counts and attributes against what is
  /// there, not the CRC. Errors: kCorruption. Cost: O(1).
  static Result<RecordBatchView> Parse(std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }  // exactly this batch
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }
  [[nodiscard]] Offset base_offset() const;
  [[nodiscard]] Offset end_offset() const;  // last offset + 1
  [[nodiscard]] LeaderEpoch leader_epoch() const;
  [[nodiscard]] std::int32_t record_count() const;
  [[nodiscard]] std::int64_t base_timestamp_ms() const;
  [[nodiscard]] std::int64_t max_timestamp_ms() const;
  [[nodiscard]] Compression compression() const;
  /// Every record has the header's maximum timestamp: the log's clock, not the producer's.
  [[nodiscard]] bool log_append_time() const;
  [[nodiscard]] bool transactional() const;
  [[nodiscard]] bool control() const;
  [[nodiscard]] std::int64_t producer_id() const;  // -1: none
  [[nodiscard]] std::int16_t producer_epoch() const;
  [[nodiscard]] std::int32_t base_sequence() const;
  /// The records as stored: compressed if compression() says so.
  [[nodiscard]] std::span<const std::byte> stored_records() const { return bytes_.subspan(kBatchHeaderBytes); }
  [[nodiscard]] std::uint32_t stored_crc() const;
  /// What the CRC covers: everything from the attributes on, to the end.
  [[nodiscard]] std::span<const std::byte> crc_bytes() const;
  /// kCorruption if the CRC-32C over attributes and records differs. Cost: one pass.
  [[nodiscard]] Result<void> VerifyCrc() const;

 private:
  explicit RecordBatchView(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

/// Which records of a batch to decode.
struct DecodeLimits {
  Offset from{0};                            // records below are stepped over
  std::size_t records_max = SIZE_MAX;        // of those decoded
  std::size_t decoded_bytes_max = 64 << 20;  // of a compressed batch when inflated; at least the log's batch_bytes_max
};

/// Appends the records of `batch` (one whole, CRC-verified batch) to `records` as views that share its owner, or the
/// owner of the inflated bytes. Returns the offset after the last record decoded (the batch's end if all were). Errors:
/// kCorruption (malformed, or over decoded_bytes_max); then `records` is as it was. Cost: one pass; no allocation but
/// growing `records`, which doubles. A batch stamped with the time of its append (LogAppendTime) gives every record its
/// maximum timestamp, as in Kafka.
Result<Offset> DecodeRecords(const SharedBytes& batch, const DecodeLimits& limits, std::vector<RecordView>& records);

struct TimestampRange {
  std::int64_t min_ms = 0, max_ms = 0;
};

/// The smallest and the largest timestamp in `batch`, from the records themselves. A header tells less: its base is
/// the first record's, and its maximum whatever the producer wrote. Errors and cost: as DecodeRecords, without views.
Result<TimestampRange> FindTimestampRange(const RecordBatchView& batch, std::size_t decoded_bytes_max = 64 << 20);

/// Base offset and leader epoch lie outside the CRC and are stamped in place. Precondition: a parsed batch.
void StampBatch(std::span<std::byte> batch, Offset base, LeaderEpoch epoch);

}  // namespace millrace
