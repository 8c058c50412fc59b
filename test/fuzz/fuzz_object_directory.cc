// Any bytes as the directory at an object's end: refused, or a directory that gives the same bytes when it is written
// again. Memory stays in proportion. The first byte says whether magics, version, length and checksum are made right
// first, so that the checks behind them are reached, and which version it is then.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "millrace/bytes.h"
#include "segment/object_directory.h"

namespace millrace {
namespace {

void Mend(std::vector<std::byte>& bytes, std::uint32_t version) {
  if (bytes.size() < 76) bytes.resize(76);
  std::ranges::copy(AsBytes("MRD1"), bytes.begin());
  PutLe(bytes.data() + 4, version);
  const std::size_t crc_at = bytes.size() - kDirectoryEndBytes;
  PutLe(bytes.data() + crc_at, Crc32c(std::span(bytes).first(crc_at)));
  PutLe(bytes.data() + crc_at + 4, static_cast<std::uint32_t>(bytes.size()));
  std::ranges::copy(AsBytes("MRO2"), bytes.end() - 4);
}

void Try(std::span<const std::byte> bytes) {
  Result<ObjectDirectory> directory = ObjectDirectory();
  {
    const AllocationMeter meter;
    directory = DecodeObjectDirectory(bytes);
    // In memory a topic and an entry are a little larger than in bytes, and vectors grow by doubling.
    meter.ExpectPeakWithin(2 * AllocationBound(bytes.size()));
  }
  if (!directory) return;
  const auto again = DecodeObjectDirectory(EncodeObjectDirectory(*directory));
  MR_CHECK(again && *again == *directory);
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(input, size)).subspan(1);
  std::vector<std::byte> bytes(rest.begin(), rest.end());
  if (input[0] % 2 == 1) Mend(bytes, 1 + input[0] / 2 % kObjectDirectoryVersion);
  Try(bytes);
  return 0;
}
