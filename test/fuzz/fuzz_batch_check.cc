// Any bytes as what a producer sent: refused by name, or a batch that readers can take. What the check of the header
// lets in and what the check of the records lets in agree with the decoder, and memory stays in proportion to what was
// received. Each input is tried as it is and with length, magic and CRC made right.
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "record/batch_check.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

constexpr std::size_t kInflatedBytesMax = 256 << 10;
// Growing copies from one buffer to the next; lz4 frames keep two blocks of up to 4 MiB.
constexpr std::size_t kCodecBytesMax = 2 * kInflatedBytesMax + (9 << 20);

void StampAndCheck(std::span<const std::byte> bytes, const BatchFacts& facts) {
  std::vector<std::byte> batch(bytes.begin(), bytes.end());
  StampLogAppendTime(batch, 1'700'000'000'000, *facts.records_crc);
  const auto view = RecordBatchView::Parse(batch);
  MR_CHECK(view && view->VerifyCrc());
  MR_CHECK(view->max_timestamp_ms() == 1'700'000'000'000);
}

void Try(std::span<const std::byte> bytes) {
  const BatchDemands header{.batch_bytes_max = 1 << 20, .records_crc = true};
  BatchDemands records = header;
  records.check = BatchCheck::kRecords;
  records.inflated_bytes_max = kInflatedBytesMax;
  BatchVerdict of_header, of_records;
  {
    const AllocationMeter meter;
    of_header = CheckBatch(bytes, header);
    meter.ExpectPeakWithin(AllocationBound(bytes.size()));
    of_records = CheckBatch(bytes, records);
    meter.ExpectPeakWithin(AllocationBound(bytes.size()) + kCodecBytesMax);
  }
  for (const BatchVerdict* verdict : {&of_header, &of_records}) MR_CHECK(verdict->ok() == verdict->message.empty());
  MR_CHECK(of_header.ok() || !of_records.ok());
  if (!of_header.ok()) return;
  MR_CHECK(of_header.facts.size_bytes == bytes.size());
  StampAndCheck(bytes, of_header.facts);
  if (!of_records.ok()) return;
  std::vector<RecordView> views;
  MR_CHECK(DecodeRecords(SharedBytes::Copy(bytes), {.decoded_bytes_max = 2 * kInflatedBytesMax}, views));
  MR_CHECK(views.size() == static_cast<std::size_t>(of_records.facts.record_count));
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(input),
                               reinterpret_cast<const std::byte*>(input) + size);
  Try(bytes);
  if (size < kBatchHeaderBytes) return 0;
  PutBe(bytes.data() + layout::kBaseOffset, std::int64_t{0});
  PutBe(bytes.data() + layout::kLength, static_cast<std::int32_t>(size - kBatchLengthPrefixBytes));
  PutBe(bytes.data() + layout::kMagic, layout::kMagicV2);
  PutBe(bytes.data() + layout::kCrc, Crc32c(std::span(bytes).subspan(layout::kAttributes)));
  Try(bytes);
  return 0;
}
