// Any bytes as a segment: refused, or an index whose blocks lie within it and open to batches in order. Memory stays in
// proportion to what was received. Each input is tried as it is and with every checksum of footer, index and blocks
// made right, so that the checks behind them are reached.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"
#include "segment/segment_verifier.h"

namespace millrace {
namespace {

namespace format = segment_format;

constexpr std::size_t kRawBytesMax = 4 << 20;      // of one block: what the reader's memory budget stands for here
constexpr std::size_t kCodecBytesMax = 256 << 10;  // a zstd context
constexpr std::size_t kBatchBytesMax = 256 << 10;  // of a batch when inflated

class SliceSource final : public BlockSource {
 public:
  explicit SliceSource(SharedBytes bytes) : bytes_(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    MR_CHECK(range.offset <= bytes_.size() && range.length <= bytes_.size() - range.offset);  // checked before use
    return bytes_.Slice(range.offset, range.length);
  }

 private:
  SharedBytes bytes_;
};

void ReadBlock(BlockSource& source, const SegmentBlock& block) {
  if (block.raw_bytes > kRawBytesMax) return;
  const auto stored = source.Fetch({block.byte_begin, block.stored_bytes});
  MR_CHECK(stored);
  Result<SharedBytes> raw = SharedBytes();
  {
    const AllocationMeter meter;
    raw = OpenBlock(block, *stored);
    meter.ExpectPeakWithin(AllocationBound(stored->size()) + kCodecBytesMax + block.raw_bytes);
  }
  if (!raw) return;
  MR_CHECK(raw->size() == block.raw_bytes);
  const auto batches = SplitBatches(*raw, block.base);
  if (!batches) return;
  Offset previous_end{0};
  for (const SharedBytes& batch : *batches) {
    const auto view = RecordBatchView::Parse(batch);
    MR_CHECK(view && view->VerifyCrc() && view->base_offset() >= previous_end);
    previous_end = view->end_offset();
    std::vector<RecordView> views;
    const auto decoded = DecodeRecords(batch, {.records_max = 1000, .decoded_bytes_max = kBatchBytesMax}, views);
    for (const RecordView& record : views) MR_CHECK(decoded && record.offset < view->end_offset());
  }
}

void Try(const SharedBytes& bytes) {
  SliceSource source(bytes);
  Result<std::shared_ptr<const SegmentIndex>> index = std::shared_ptr<const SegmentIndex>();
  {
    const AllocationMeter meter;
    index = SegmentIndex::Load(source, bytes.size());
    meter.ExpectPeakWithin(AllocationBound(bytes.size()));
  }
  if (!index) return;
  for (const SegmentBlock& block : (*index)->blocks()) {
    MR_CHECK((*index)->blocks()[(*index)->FindBlock(block.base)].base == block.base);
    MR_CHECK((*index)->FindBlockByTime(block.timestamp_max_ms) < (*index)->blocks().size());
    ReadBlock(source, block);
  }
}

/// Makes the CRCs of the batches in an uncompressed payload right, as far as they parse.
void FixBatches(std::span<std::byte> payload) {
  while (payload.size() >= kBatchHeaderBytes) {
    const auto view = RecordBatchView::Parse(payload);
    if (!view) return;
    const auto batch = payload.first(view->size_bytes());
    PutBe(batch.data() + batch_layout::kCrc, Crc32c(batch.subspan(batch_layout::kAttributes)));
    payload = payload.subspan(batch.size());
  }
}

void FixBlock(std::span<std::byte> block, std::byte* entry) {
  std::ranges::copy(format::kBlockMagic, block.data() + format::block::kMagic);
  const auto payload = block.subspan(format::block::kHeaderBytes);
  PutLe(block.data() + format::block::kStoredBytes, static_cast<std::uint32_t>(payload.size()));
  PutLe(block.data() + format::block::kRawBytes, GetLe<std::uint32_t>(entry + format::entry::kRawBytes));
  if (block[format::block::kCodec] == std::byte{0}) FixBatches(payload);
  const std::uint32_t crc = Crc32c(payload, Crc32c(block.first(format::block::kCrc)));
  PutLe(block.data() + format::block::kCrc, crc);
  PutLe(entry + format::entry::kBlockCrc, crc);
}

/// Makes every checksum, magic and length right that can be found from the footer.
void Fix(std::span<std::byte> segment) {
  std::byte* footer = segment.data() + segment.size() - format::footer::kBytes;
  const std::uint64_t before_footer = segment.size() - format::footer::kBytes;
  const std::uint64_t index_bytes =
      std::uint64_t{GetLe<std::uint32_t>(footer + format::footer::kBlocks)} * format::entry::kBytes;
  if (index_bytes <= before_footer) {
    const std::uint64_t index_begin = before_footer - index_bytes;
    std::uint64_t at = 0;
    for (std::uint64_t i = index_begin; i < before_footer; i += format::entry::kBytes) {
      std::byte* entry = segment.data() + i;
      const auto bytes = GetLe<std::uint32_t>(entry + format::entry::kBlockBytes);
      if (bytes < format::block::kHeaderBytes || bytes > index_begin - at) break;
      FixBlock(segment.subspan(at, bytes), entry);
      at += bytes;
    }
    PutLe(footer + format::footer::kIndexCrc, Crc32c(segment.subspan(index_begin, index_bytes)));
  }
  PutLe(footer + format::footer::kSegmentBytes, std::uint64_t{segment.size()});
  PutLe(footer + format::footer::kVersion, format::kVersion);
  PutLe(footer + format::footer::kCrc, Crc32c({footer, format::footer::kCrc}));
  std::ranges::copy(format::kFooterMagic, footer + format::footer::kMagic);
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(input),
                               reinterpret_cast<const std::byte*>(input) + size);
  Try(SharedBytes::Copy(bytes));
  if (size < segment_format::kSegmentBytesMin) return 0;
  Fix(bytes);
  Try(SharedBytes::Copy(bytes));
  return 0;
}
