#include "record/record_batch_view.h"

#include <fmt/format.h>

#include <limits>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "record/record_batch_layout.h"

namespace millrace {
namespace {

template <class T>
T Field(std::span<const std::byte> bytes, std::size_t at) {
  return GetBe<T>(bytes.data() + at);
}

Error Malformed(std::string why) { return {ErrorCode::kCorruption, "record batch: " + std::move(why)}; }

}  // namespace

Result<RecordBatchView> RecordBatchView::Parse(std::span<const std::byte> bytes) {
  namespace layout = batch_layout;
  if (bytes.size() < kBatchHeaderBytes) [[unlikely]]
    return Malformed(fmt::format("{} bytes cannot hold a header of {}", bytes.size(), kBatchHeaderBytes));
  const auto length = Field<std::int32_t>(bytes, layout::kLength);
  constexpr auto kLengthMin = static_cast<std::int32_t>(kBatchHeaderBytes - kBatchLengthPrefixBytes);
  if (length < kLengthMin || static_cast<std::size_t>(length) > bytes.size() - kBatchLengthPrefixBytes) [[unlikely]]
    return Malformed(fmt::format("length {} with {} bytes at hand", length, bytes.size()));
  if (const auto magic = Field<std::int8_t>(bytes, layout::kMagic); magic != layout::kMagicV2) [[unlikely]]
    return Malformed(fmt::format("magic {}, not {}", magic, layout::kMagicV2));
  const auto attributes = Field<std::int16_t>(bytes, layout::kAttributes);
  const int codec = attributes & layout::kCodecMask;
  if (codec > static_cast<int>(Compression::kZstd)) [[unlikely]]
    return Malformed(fmt::format("unknown codec {}", codec));

  RecordBatchView view(bytes.first(kBatchLengthPrefixBytes + static_cast<std::size_t>(length)));
  const auto base = Field<std::int64_t>(bytes, layout::kBaseOffset);
  const auto last_delta = Field<std::int32_t>(bytes, layout::kLastOffsetDelta);
  constexpr auto kOffsetMax = std::numeric_limits<std::int64_t>::max();
  if (base < 0 || last_delta < 0 || base > kOffsetMax - last_delta - 1) [[unlikely]]
    return Malformed(fmt::format("base offset {} with last offset delta {}", base, last_delta));
  const std::int32_t count = view.record_count();
  if (count < 1 || count - 1 > last_delta) [[unlikely]]
    return Malformed(fmt::format("{} records with last offset delta {}", count, last_delta));
  if (codec == 0 && static_cast<std::size_t>(count) > view.stored_records().size() / layout::kRecordBytesMin)
      [[unlikely]]
    return Malformed(fmt::format("{} records in {} bytes", count, view.stored_records().size()));
  return view;
}

Offset RecordBatchView::base_offset() const { return Offset(Field<std::int64_t>(bytes_, batch_layout::kBaseOffset)); }

Offset RecordBatchView::end_offset() const {
  return base_offset() + Field<std::int32_t>(bytes_, batch_layout::kLastOffsetDelta) + 1;
}

LeaderEpoch RecordBatchView::leader_epoch() const {
  return LeaderEpoch(Field<std::int32_t>(bytes_, batch_layout::kLeaderEpoch));
}

std::int32_t RecordBatchView::record_count() const { return Field<std::int32_t>(bytes_, batch_layout::kRecordCount); }

std::int64_t RecordBatchView::base_timestamp_ms() const {
  return Field<std::int64_t>(bytes_, batch_layout::kBaseTimestamp);
}

std::int64_t RecordBatchView::max_timestamp_ms() const {
  return Field<std::int64_t>(bytes_, batch_layout::kMaxTimestamp);
}

Compression RecordBatchView::compression() const {
  return static_cast<Compression>(Field<std::int16_t>(bytes_, batch_layout::kAttributes) & batch_layout::kCodecMask);
}

bool RecordBatchView::log_append_time() const {
  return (Field<std::int16_t>(bytes_, batch_layout::kAttributes) & batch_layout::kLogAppendTime) != 0;
}

bool RecordBatchView::transactional() const {
  return (Field<std::int16_t>(bytes_, batch_layout::kAttributes) & batch_layout::kTransactional) != 0;
}

bool RecordBatchView::control() const {
  return (Field<std::int16_t>(bytes_, batch_layout::kAttributes) & batch_layout::kControl) != 0;
}

std::int64_t RecordBatchView::producer_id() const { return Field<std::int64_t>(bytes_, batch_layout::kProducerId); }

std::int16_t RecordBatchView::producer_epoch() const {
  return Field<std::int16_t>(bytes_, batch_layout::kProducerEpoch);
}

std::int32_t RecordBatchView::base_sequence() const { return Field<std::int32_t>(bytes_, batch_layout::kBaseSequence); }

std::uint32_t RecordBatchView::stored_crc() const { return Field<std::uint32_t>(bytes_, batch_layout::kCrc); }

std::span<const std::byte> RecordBatchView::crc_bytes() const { return bytes_.subspan(batch_layout::kAttributes); }

Result<void> RecordBatchView::VerifyCrc() const {
  const std::uint32_t found = Crc32c(crc_bytes());
  if (found != stored_crc()) [[unlikely]]
    return Malformed(fmt::format("the batch at offset {} fails its CRC (stored {:08x}, found {:08x})",
                                 base_offset().value(), stored_crc(), found));
  return {};
}

void StampBatch(std::span<std::byte> batch, Offset base, LeaderEpoch epoch) {
  MR_CHECK(batch.size() >= kBatchHeaderBytes, batch.size());
  PutBe(batch.data() + batch_layout::kBaseOffset, base.value());
  PutBe(batch.data() + batch_layout::kLeaderEpoch, epoch.value());
}

}  // namespace millrace
