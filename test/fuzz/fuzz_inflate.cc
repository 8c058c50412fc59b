// Any bytes as what a codec wrote; the first byte says which. What comes out is at most the cap and inflates again to
// the same; memory stays in proportion.
#include <algorithm>
#include <cstdint>
#include <span>

#include "allocation_meter.h"
#include "base/check.h"
#include "record/compressor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  constexpr std::size_t kBytesMax = 256 << 10;
  // Growing copies from one buffer to the next; lz4 frames keep two blocks of up to 4 MiB.
  constexpr std::size_t kCodecBytesMax = 2 * kBytesMax + (9 << 20);
  if (size == 0) return 0;
  const auto compression = static_cast<Compression>(1 + input[0] % 4);
  const auto stored = std::as_bytes(std::span(input, size)).subspan(1);
  Result<SharedBytes> raw = SharedBytes();
  {
    const AllocationMeter meter;
    raw = Inflate(compression, stored, kBytesMax);
    meter.ExpectPeakWithin(AllocationBound(size) + kCodecBytesMax);
  }
  if (!raw) return 0;
  MR_CHECK(raw->size() <= kBytesMax, raw->size());
  const auto again = Compress(compression, *raw);
  MR_CHECK(again);
  const auto inflated = Inflate(compression, *again, kBytesMax);
  MR_CHECK(inflated && std::ranges::equal(inflated->bytes(), raw->bytes()));
  return 0;
}
