#include "record/batch_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "record/record_batch_layout.h"
#include "record/record_walk.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

constexpr std::int64_t kNoTimestamp = -1;
/// A smaller batch is gone over once more faster than two CRCs are joined.
constexpr std::size_t kPartedCrcFrom = 16 << 10;

/// One check: its answer grows on the way; each step returns false once a fault is found.
class Check {
 public:
  Check(std::span<const std::byte> bytes, const BatchDemands& demands) : bytes_(bytes), demands_(demands) {}

  BatchVerdict Run() && {
    if (Frame() && Crc() && Header() && Times() && demands_.check == BatchCheck::kRecords) Records();
    return std::move(verdict_);
  }

 private:
  template <class T>
  [[nodiscard]] T Field(std::size_t at) const {
    return GetBe<T>(bytes_.data() + at);
  }
  bool Refuse(BatchFault fault, std::string message) {
    verdict_.fault = fault;
    verdict_.message = std::move(message);
    return false;
  }

  /// That the bytes are one batch of ours, by its head.
  bool Frame() {
    if (bytes_.empty()) return Refuse(BatchFault::kNoBatch, "there is no record batch");
    if (bytes_.size() <= layout::kMagic)
      return Refuse(BatchFault::kCutShort, fmt::format("a record batch is cut short after {} bytes", bytes_.size()));
    const auto magic = Field<std::int8_t>(layout::kMagic);
    if (magic == 0 || magic == 1)
      return Refuse(BatchFault::kOldMagic, fmt::format("a message set of magic {} is no record batch", magic));
    if (magic != layout::kMagicV2) return Refuse(BatchFault::kUnknownMagic, fmt::format("magic {} is unknown", magic));
    const auto length = Field<std::int32_t>(layout::kLength);
    if (length < static_cast<std::int32_t>(kBatchHeaderBytes - kBatchLengthPrefixBytes))
      return Refuse(BatchFault::kLength, fmt::format("no record batch has length {}", length));
    const std::size_t size = kBatchLengthPrefixBytes + static_cast<std::size_t>(length);
    if (size > bytes_.size())
      return Refuse(BatchFault::kCutShort,
                    fmt::format("a record batch of {} bytes is cut short after {}", size, bytes_.size()));
    if (size < bytes_.size())
      return Refuse(BatchFault::kSecondBatch,
                    fmt::format("{} bytes follow the record batch, which must be the only one", bytes_.size() - size));
    verdict_.facts.size_bytes = size;
    if (const auto base = Field<std::int64_t>(layout::kBaseOffset); base != 0)
      return Refuse(BatchFault::kBaseOffset, fmt::format("the base offset is {}, not 0", base));
    if (size > demands_.batch_bytes_max)
      return Refuse(BatchFault::kTooLarge,
                    fmt::format("the record batch has {} bytes; {} are allowed", size, demands_.batch_bytes_max));
    return true;
  }

  bool Crc() {
    const auto head = bytes_.subspan(layout::kAttributes, kBatchHeaderBytes - layout::kAttributes);
    const auto records = bytes_.subspan(kBatchHeaderBytes);
    const std::uint32_t head_crc = Crc32c(head);
    std::uint32_t found = 0;
    if (demands_.records_crc || bytes_.size() >= kPartedCrcFrom) {
      const std::uint32_t records_crc = Crc32c(records);
      verdict_.facts.records_crc = records_crc;
      found = Crc32cJoined(head_crc, records_crc, records.size());
    } else {
      found = Crc32c(records, head_crc);
    }
    const auto stored = Field<std::uint32_t>(layout::kCrc);
    if (found == stored) return true;
    return Refuse(BatchFault::kCrc,
                  fmt::format("the record batch's CRC is {:08x}, its bytes give {:08x}", stored, found));
  }

  bool Header() {
    BatchFacts& facts = verdict_.facts;
    const auto attributes = Field<std::int16_t>(layout::kAttributes);
    const int codec = attributes & layout::kCodecMask;
    if (codec > static_cast<int>(Compression::kZstd))
      return Refuse(BatchFault::kCodec, fmt::format("codec {} is unknown", codec));
    facts.compression = static_cast<Compression>(codec);
    if (facts.compression == Compression::kLz4 && HasLinkedLz4Blocks())
      return Refuse(BatchFault::kCodec, "the LZ4 frame has linked blocks, which Kafka's clients cannot read");
    facts.record_count = Field<std::int32_t>(layout::kRecordCount);
    const auto last_delta = Field<std::int32_t>(layout::kLastOffsetDelta);
    if (facts.record_count < 1 || last_delta != facts.record_count - 1)
      return Refuse(BatchFault::kCount,
                    fmt::format("{} records with last offset delta {}", facts.record_count, last_delta));
    const std::size_t records_bytes = bytes_.size() - kBatchHeaderBytes;
    if (codec == 0 && static_cast<std::size_t>(facts.record_count) > records_bytes / layout::kRecordBytesMin)
      return Refuse(BatchFault::kCount, fmt::format("{} records in {} bytes", facts.record_count, records_bytes));
    if ((attributes & layout::kControl) != 0)
      return Refuse(BatchFault::kControl, "a producer may not send control batches");
    if ((attributes & layout::kTransactional) != 0)
      return Refuse(BatchFault::kTransactional, "transactions are not supported");
    facts.producer_id = Field<std::int64_t>(layout::kProducerId);
    facts.producer_epoch = Field<std::int16_t>(layout::kProducerEpoch);
    facts.base_sequence = Field<std::int32_t>(layout::kBaseSequence);
    if (facts.producer_id >= 0 && facts.base_sequence < 0)
      return Refuse(BatchFault::kSequence,
                    fmt::format("producer {} with base sequence {}", facts.producer_id, facts.base_sequence));
    if ((attributes & layout::kLogAppendTime) != 0)
      return Refuse(BatchFault::kTimeType, "a producer may not set the bit of LogAppendTime");
    return true;
  }

  /// The frame's descriptor says so: after its magic, bit 5 of the first byte is "independent".
  [[nodiscard]] bool HasLinkedLz4Blocks() const {
    constexpr std::uint32_t kFrameMagic = 0x184D2204;
    const auto records = bytes_.subspan(kBatchHeaderBytes);
    if (records.size() <= sizeof kFrameMagic || GetLe<std::uint32_t>(records.data()) != kFrameMagic) return false;
    return (std::to_integer<unsigned>(records[sizeof kFrameMagic]) & 0x20U) == 0;
  }

  [[nodiscard]] bool InTime(std::int64_t timestamp_ms) const {
    if (timestamp_ms == kNoTimestamp) return true;
    return timestamp_ms >= demands_.timestamp_min_ms.value_or(std::numeric_limits<std::int64_t>::min()) &&
           timestamp_ms <= demands_.timestamp_max_ms.value_or(std::numeric_limits<std::int64_t>::max());
  }
  std::string OutOfTime(std::int64_t timestamp_ms) const {
    return fmt::format("timestamp {} is out of range", timestamp_ms);
  }

  bool Times() {
    BatchFacts& facts = verdict_.facts;
    facts.base_timestamp_ms = Field<std::int64_t>(layout::kBaseTimestamp);
    facts.max_timestamp_ms = Field<std::int64_t>(layout::kMaxTimestamp);
    for (const std::int64_t timestamp_ms : {facts.base_timestamp_ms, facts.max_timestamp_ms})
      if (!InTime(timestamp_ms)) return Refuse(BatchFault::kTimestamp, OutOfTime(timestamp_ms));
    return true;
  }

  /// Of the record that is looked at.
  bool RefuseRecord(BatchFault fault, std::int32_t index, std::string message) {
    verdict_.record = index;
    return Refuse(fault, fmt::format("record {}: {}", index, message));
  }

  void Records() {
    const auto view = RecordBatchView::Parse(bytes_);
    MR_CHECK(view.has_value());  // it asks for less than Frame and Header
    const auto raw = RawRecords(*view, nullptr, demands_.inflated_bytes_max);
    if (!raw) {
      const bool too_large = raw.error().code() == ErrorCode::kInvalidArgument;
      Refuse(too_large ? BatchFault::kRecordTooLarge : BatchFault::kRecords, std::string(raw.error().message()));
      return;
    }
    std::int32_t index = 0;
    std::int64_t latest_ms = std::numeric_limits<std::int64_t>::min();
    const auto walked = WalkRecords(*view, *raw, [&](const RawRecord& record, std::int64_t timestamp_ms) {
      latest_ms = std::max(latest_ms, timestamp_ms);
      const bool fine = Record(index, record, timestamp_ms);
      if (fine) ++index;
      return fine;
    });
    if (walked && *walked) {
      verdict_.facts.latest_ms = latest_ms;
      return;
    }
    if (walked) return;  // a record was refused
    if (index < view->record_count()) verdict_.record = index;
    Refuse(BatchFault::kRecords, std::string(walked.error().message()));
  }

  bool Record(std::int32_t index, const RawRecord& record, std::int64_t timestamp_ms) {
    if (demands_.require_keys && !record.key) return RefuseRecord(BatchFault::kNullKey, index, "has no key");
    if (const std::uint64_t bytes = PayloadBytes(record); bytes > demands_.record_bytes_max)
      return RefuseRecord(BatchFault::kRecordTooLarge, index,
                          fmt::format("has {} bytes; {} are allowed", bytes, demands_.record_bytes_max));
    if (!InTime(timestamp_ms)) return RefuseRecord(BatchFault::kTimestamp, index, OutOfTime(timestamp_ms));
    return true;
  }

  const std::span<const std::byte> bytes_;
  const BatchDemands& demands_;
  BatchVerdict verdict_;
};

}  // namespace

std::string_view BatchFaultName(BatchFault fault) {
  constexpr std::array<std::string_view, 20> kNames = {
      "kNone",       "kNoBatch",  "kCutShort",  "kOldMagic", "kUnknownMagic",   "kLength",  "kSecondBatch",
      "kBaseOffset", "kTooLarge", "kCrc",       "kCodec",    "kCount",          "kControl", "kTransactional",
      "kSequence",   "kTimeType", "kTimestamp", "kRecords",  "kRecordTooLarge", "kNullKey"};
  static_assert(kNames.size() == std::to_underlying(BatchFault::kNullKey) + 1);
  return kNames[static_cast<std::size_t>(fault)];
}

BatchVerdict CheckBatch(std::span<const std::byte> bytes, const BatchDemands& demands) {
  return Check(bytes, demands).Run();
}

void StampLogAppendTime(std::span<std::byte> batch, std::int64_t now_ms, std::uint32_t records_crc) {
  MR_CHECK(batch.size() >= kBatchHeaderBytes, batch.size());
  const auto attributes = GetBe<std::int16_t>(batch.data() + layout::kAttributes);
  PutBe(batch.data() + layout::kAttributes, static_cast<std::int16_t>(attributes | layout::kLogAppendTime));
  PutBe(batch.data() + layout::kMaxTimestamp, now_ms);
  const auto head = batch.subspan(layout::kAttributes, kBatchHeaderBytes - layout::kAttributes);
  PutBe(batch.data() + layout::kCrc, Crc32cJoined(Crc32c(head), records_crc, batch.size() - kBatchHeaderBytes));
}

}  // namespace millrace
