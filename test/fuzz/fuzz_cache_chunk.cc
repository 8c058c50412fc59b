// Any bytes as a file of the disk cache: refused, or the payload that was asked for. Memory stays in proportion to the
// file. The first byte says whether the header is that of the chunk asked for, so that the checks behind it are
// reached.
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "cache/chunk_file.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

const ChunkKey kKey{.object = {1, 2, 3}, .segment_begin = 64, .byte_begin = 4096};
constexpr const char* kPath = "/chunk";

/// The file with a right header for `payload`, or `payload` as the whole file.
void Write(SimFileSystem& files, std::span<const std::byte> payload, bool whole, std::uint32_t crc) {
  if (whole) {
    const SharedBytes piece = SharedBytes::Copy(payload);
    MR_CHECK(WriteChunkFile(files, kPath, FileCreation::kOpenOrCreate, kKey, std::span(&piece, 1), crc));
    return;
  }
  const auto file = files.Open(kPath, {FileAccess::kReadWrite, FileCreation::kOpenOrCreate});
  MR_CHECK(file && (payload.empty() || (*file)->WriteAt(0, payload)));
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  if (size < 3) return 0;
  const auto rest = std::as_bytes(std::span(input, size)).subspan(3);
  const bool whole = input[0] % 2 == 1, right = input[0] % 4 == 3;
  SimFileSystem files;
  Write(files, rest, whole, right ? Crc32c(rest) : input[1]);
  const std::uint64_t file_bytes = rest.size() + (whole ? kChunkHeaderBytes : 0);
  const ChunkFile chunk{.path = kPath, .file_bytes = file_bytes, .header_checked = false};
  const ByteRange range{input[1], input[2]};
  const AllocationMeter meter;
  const auto all = ReadChunkFile(files, chunk, kKey, {});
  if (all) MR_CHECK(whole && (*all)[0].size() == rest.size());
  if (right) MR_CHECK(all, all.error().message());
  const auto part = ReadChunkFile(files, chunk, kKey, std::span(&range, 1));
  if (part) MR_CHECK((*part)[0].size() == range.length && range.offset + range.length <= rest.size());
  meter.ExpectPeakWithin(2 * AllocationBound(size));
  return 0;
}
