// Any bytes as a record batch: refused, or decoded to records that build a batch which decodes to the same ones. Memory
// stays in proportion to what was received, and what is inflated below its cap. Each input is tried as it is and with
// length, magic and CRC made right, so that the checks behind the CRC are reached.
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "record/batch_validator.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

constexpr std::size_t kDecodedBytesMax = 256 << 10;
// Growing copies from one buffer to the next; lz4 frames keep two blocks of up to 4 MiB.
constexpr std::size_t kCodecBytesMax = 2 * kDecodedBytesMax + (9 << 20);

void RebuildAndCompare(const std::vector<RecordView>& views, Compression compression) {
  std::vector<Record> records;
  for (const RecordView& view : views) records.push_back(view.ToRecord());
  const auto built = BuildRecordBatch(records, {.compression = compression, .record_bytes_max = 64 << 20});
  if (!built) return;  // timestamps too far from the first one's
  std::vector<RecordView> again;
  MR_CHECK(DecodeRecords(SharedBytes::Copy(built->bytes()), {}, again));
  MR_CHECK(again.size() == records.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    records[i].offset = Offset(static_cast<std::int64_t>(i));
    MR_CHECK(again[i].ToRecord() == records[i], i);
  }
}

void Try(const SharedBytes& batch) {
  bool valid = false;
  {
    const AllocationMeter meter;
    const auto parsed = RecordBatchView::Parse(batch);
    meter.ExpectPeakWithin(AllocationBound(batch.size()));
    const bool inflates = parsed && parsed->compression() != Compression::kNone;
    valid =
        ValidateBatch(batch, {.record_bytes_max = kDecodedBytesMax, .batch_bytes_max = kDecodedBytesMax}).has_value();
    meter.ExpectPeakWithin(AllocationBound(batch.size()) + (inflates ? kCodecBytesMax : 0));
  }
  std::vector<RecordView> views;
  const auto decoded = DecodeRecords(batch, {.decoded_bytes_max = kDecodedBytesMax}, views);
  MR_CHECK(!valid || decoded);
  if (!decoded) {
    MR_CHECK(views.empty());
    return;
  }
  const auto view = *RecordBatchView::Parse(batch);
  MR_CHECK(views.size() == static_cast<std::size_t>(view.record_count()));
  MR_CHECK(FindTimestampRange(view, kDecodedBytesMax));
  RebuildAndCompare(views, view.compression());
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(input),
                               reinterpret_cast<const std::byte*>(input) + size);
  Try(SharedBytes::Copy(bytes));
  if (size < kBatchHeaderBytes) return 0;
  PutBe(bytes.data() + layout::kLength, static_cast<std::int32_t>(size - kBatchLengthPrefixBytes));
  PutBe(bytes.data() + layout::kMagic, layout::kMagicV2);
  PutBe(bytes.data() + layout::kCrc, Crc32c(std::span(bytes).subspan(layout::kAttributes)));
  Try(SharedBytes::Copy(bytes));
  return 0;
}
