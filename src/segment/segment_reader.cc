#include "segment/segment_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "record/record_batch_view.h"
#include "segment/segment_format.h"

namespace millrace {

namespace {

constexpr std::size_t kJoinBytesMin = 16 << 10;  // below, a second pass over a batch just seen costs less

/// The CRC of `batch`, seen from `crc` on; none if its own is wrong.
std::optional<std::uint32_t> PassBatch(const RecordBatchView& batch, std::uint32_t crc) {
  if (batch.size_bytes() < kJoinBytesMin)
    return batch.VerifyCrc() ? std::optional(Crc32c(batch.bytes(), crc)) : std::nullopt;
  const std::uint32_t own = Crc32c(batch.crc_bytes());
  if (own != batch.stored_crc()) return std::nullopt;
  const std::size_t covered = batch.crc_bytes().size();
  return Crc32cJoined(Crc32c(batch.bytes().first(batch.size_bytes() - covered), crc), own, covered);
}

}  // namespace

std::optional<std::vector<SharedBytes>> OpenUncompressed(const SegmentBlock& block, const SharedBytes& stored) {
  namespace layout = segment_format::block;
  const auto bytes = stored.bytes();
  if (bytes.size() != block.stored_bytes || bytes.size() != std::uint64_t{block.raw_bytes} + layout::kHeaderBytes)
    return std::nullopt;
  const bool is_raw =
      std::ranges::equal(bytes.first(segment_format::kBlockMagic.size()), segment_format::kBlockMagic) &&
      bytes[layout::kCodec] == static_cast<std::byte>(SegmentCodec::kNone) &&
      GetLe<std::uint32_t>(bytes.data() + layout::kStoredBytes) == block.raw_bytes &&
      GetLe<std::uint32_t>(bytes.data() + layout::kRawBytes) == block.raw_bytes;
  if (!is_raw) return std::nullopt;
  std::vector<SharedBytes> batches;
  std::uint32_t crc = Crc32c(bytes.first(layout::kCrc));
  Offset previous_end{0};
  for (std::size_t at = layout::kHeaderBytes; at < bytes.size();) {
    const Result<RecordBatchView> view = RecordBatchView::Parse(bytes.subspan(at));
    if (!view || view->base_offset() < previous_end) return std::nullopt;
    const auto passed = PassBatch(*view, crc);
    if (!passed) return std::nullopt;
    crc = *passed;
    previous_end = view->end_offset();
    if (batches.empty())  // most often they are alike
      batches.reserve(std::min<std::size_t>((block.raw_bytes - 1) / view->size_bytes() + 1, block.records));
    batches.push_back(stored.Slice(at, view->size_bytes()));
    at += view->size_bytes();
  }
  if (crc != block.crc || crc != GetLe<std::uint32_t>(bytes.data() + layout::kCrc)) return std::nullopt;
  return batches;
}

Result<std::vector<SharedBytes>> OpenBatches(const SegmentBlock& block, const SharedBytes& stored) {
  if (auto batches = OpenUncompressed(block, stored)) return *std::move(batches);
  MR_ASSIGN_OR_RETURN(const SharedBytes raw, OpenBlock(block, stored));
  return SplitBatches(raw, Offset(0));
}

Result<std::vector<SharedBytes>> SplitBatches(const SharedBytes& block, Offset from) {
  std::vector<SharedBytes> batches;
  Offset previous_end{0};
  for (std::size_t at = 0; at < block.size();) {
    MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(block.bytes().subspan(at)));
    if (view.base_offset() < previous_end)
      return Error(ErrorCode::kCorruption, fmt::format("segment: the batch at offset {} follows one that ends at {}",
                                                       view.base_offset().value(), previous_end.value()));
    previous_end = view.end_offset();
    if (view.end_offset() > from) {
      if (const auto verified = view.VerifyCrc(); !verified)
        return verified.error().WithDamage({.begin = view.base_offset(), .end = view.end_offset()});
      batches.push_back(block.Slice(at, view.size_bytes()));
    }
    at += view.size_bytes();
  }
  return batches;
}

}  // namespace millrace
