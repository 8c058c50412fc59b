// Any bytes as what a server answered to a fetch: records in ascending offsets from the one asked for, or a typed error
// with the damage that may be stepped over. Memory stays in proportion to what was received, inflated batches apart.
// Each input is tried as it is and with the CRC of its batches made right.
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "client/fetched_records.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

constexpr std::int64_t kBegin = 1;

/// Walks the batches by their lengths, as far as they go.
void MendCrcs(std::span<std::byte> bytes) {
  while (bytes.size() >= kBatchHeaderBytes) {
    const auto length = GetBe<std::int32_t>(bytes.data() + layout::kLength);
    if (length < 0) return;
    const std::size_t size = kBatchLengthPrefixBytes + static_cast<std::size_t>(length);
    if (size < kBatchHeaderBytes || size > bytes.size()) return;
    PutBe(bytes.data() + layout::kMagic, layout::kMagicV2);
    PutBe(bytes.data() + layout::kCrc, Crc32c(bytes.subspan(layout::kAttributes, size - layout::kAttributes)));
    bytes = bytes.subspan(size);
  }
}

void Try(std::span<const std::byte> bytes, OnDamage on_damage) {
  const client::Fetched fetched{SharedBytes::Copy(bytes), Offset(1'000'000), Offset(0)};
  const auto read = client::DecodeFetched(fetched, {"t", PartitionId(0)}, Offset(kBegin), {.on_damage = on_damage});
  if (!read) {
    MR_CHECK(read.error().code() == ErrorCode::kCorruption || read.error().code() == ErrorCode::kUnsupported);
    return;
  }
  MR_CHECK(read->next >= Offset(kBegin));
  Offset last(kBegin - 1);
  for (const RecordView& record : read->records) {
    MR_CHECK(record.offset > last && record.offset < read->next);
    last = record.offset;
  }
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(input),
                               reinterpret_cast<const std::byte*>(input) + size);
  for (const OnDamage on_damage : {OnDamage::kFail, OnDamage::kSkip}) {
    Try(bytes, on_damage);
    std::vector<std::byte> mended = bytes;
    MendCrcs(mended);
    Try(mended, on_damage);
  }
  return 0;
}
