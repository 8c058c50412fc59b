// Any bytes as a frame of the position log: none there, refused, or entries that give the same frame when they are
// written again. Memory stays in proportion. The first byte says whether the frame's magic, length and checksum are
// made right first, so that the checks behind them are reached.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "cursor/position_log_format.h"

namespace millrace {
namespace {

constexpr std::size_t kBlocksMax = 4;
constexpr std::size_t kSequence = 24, kCrcAt = 4, kCrcBegin = 8, kBlocks = 12;

void Mend(std::span<std::byte> frame) {
  constexpr char kMagic[] = "MRPL";
  std::transform(kMagic, kMagic + 4, frame.begin(), [](char c) { return static_cast<std::byte>(c); });
  PutLe(&frame[kBlocks], static_cast<std::uint32_t>(frame.size() / kPositionBlockBytes));
  PutLe(&frame[kCrcAt], Crc32c(frame.subspan(kCrcBegin)));
}

void Try(std::span<const std::byte> bytes) {
  const auto found = FindPositionFrame(bytes, GetLe<std::uint64_t>(&bytes[kSequence]));
  if (!found || !*found) return;
  const PositionFrame& frame = **found;
  Result<std::vector<PositionEntry>> entries = std::vector<PositionEntry>();
  {
    const AllocationMeter meter;
    entries = DecodePositionEntries(frame);
    // An entry in memory is larger than the shortest one in a frame.
    meter.ExpectPeakWithin(AllocationBound(bytes.size()) + frame.entry_bytes.size() * sizeof(PositionEntry) / 8);
  }
  if (!entries) return;
  std::vector<std::byte> again(frame.blocks * kPositionBlockBytes);
  EncodePositionFrame(frame.header, *entries, again);
  const auto second = FindPositionFrame(again, frame.header.sequence);
  MR_CHECK(second && *second);
  MR_CHECK(std::ranges::equal((*second)->entry_bytes, frame.entry_bytes));
  const auto decoded = DecodePositionEntries(**second);
  MR_CHECK(decoded && *decoded == *entries);
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(input, size)).subspan(1);
  const std::size_t blocks =
      std::clamp<std::size_t>((rest.size() + kPositionBlockBytes - 1) / kPositionBlockBytes, 1, kBlocksMax);
  std::vector<std::byte> bytes(blocks * kPositionBlockBytes);
  std::ranges::copy(rest.first(std::min(rest.size(), bytes.size())), bytes.begin());
  if (input[0] % 2 == 1) Mend(bytes);
  Try(bytes);
  return 0;
}
