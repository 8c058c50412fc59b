// Any bytes as a snapshot of metadata: refused, or rows. Each input is tried as it is, with the checksums of head and
// end made right, and as the payload of a block in a snapshot that is right otherwise. No length is believed beyond
// what is there; a block opens to at most 8 MiB.
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "millrace/bytes.h"
#include "segment/block_codec.h"
#include "tier/snapshot_format.h"

namespace millrace {
namespace {

constexpr std::size_t kHeadBytes = 68, kEndBytes = 24;

SharedBytes Joined(std::span<const SharedBytes> pieces) {
  std::vector<std::byte> bytes;
  for (const SharedBytes& piece : pieces) bytes.insert(bytes.end(), piece.bytes().begin(), piece.bytes().end());
  return SharedBytes::Copy(bytes);
}

void Try(const SharedBytes& bytes) { (void)DecodeSnapshot(bytes); }

SharedBytes Mended(std::vector<std::byte> bytes) {
  if (bytes.size() < kHeadBytes + kEndBytes) bytes.resize(kHeadBytes + kEndBytes);
  PutLe(bytes.data() + 64, Crc32c(std::span(bytes).first(64)));
  std::byte* end = bytes.data() + bytes.size() - kEndBytes;
  PutLe(end + 20, Crc32c(std::span<const std::byte>(end, 20)));
  return SharedBytes::Copy(bytes);
}

SharedBytes WithPayload(std::span<const std::byte> payload) {
  std::vector<SharedBytes> pieces = SnapshotBuilder({.generation = 1}).Finish();
  BlockEncoder encoder(SegmentCodec::kNone);
  const SharedBytes raw = SharedBytes::Copy(payload);
  CompressionTrials trials;
  const EncodedBlock block = encoder.Encode({&raw, 1}, trials);
  pieces.insert(pieces.begin() + 1, block.pieces.begin(), block.pieces.end());
  return Joined(pieces);
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  const auto bytes = std::as_bytes(std::span(input, size));
  Try(SharedBytes::Copy(bytes));
  Try(Mended({bytes.begin(), bytes.end()}));
  if (!bytes.empty()) Try(WithPayload(bytes));
  return 0;
}
