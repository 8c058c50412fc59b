#include "segment/segment_verifier.h"

#include <fmt/format.h>

#include "base/try.h"
#include "record/record_batch_view.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

/// The batches of one block, which must be exactly what its index entry says.
Result<void> CheckBlock(const SegmentBlock& block, const SharedBytes& stored, SegmentCheck& check) {
  MR_ASSIGN_OR_RETURN(const SharedBytes raw, OpenBlock(block, stored));
  MR_ASSIGN_OR_RETURN(const std::vector<SharedBytes> batches, SplitBatches(raw, Offset(0)));
  std::uint64_t records = 0;
  for (const SharedBytes& batch : batches)
    records += static_cast<std::uint64_t>(RecordBatchView::Parse(batch)->record_count());
  const Offset base = RecordBatchView::Parse(batches.front())->base_offset();
  const Offset end = RecordBatchView::Parse(batches.back())->end_offset();
  if (base != block.base || end != block.end || records != block.records)
    return Error(ErrorCode::kCorruption,
                 fmt::format("block holds offsets [{}, {}) and {} records, its index entry tells of [{}, {}) and {}",
                             base.value(), end.value(), records, block.base.value(), block.end.value(), block.records));
  ++check.blocks;
  check.batches += batches.size();
  check.records += records;
  return {};
}

}  // namespace

Result<SegmentCheck> VerifySegment(BlockSource& source, std::uint64_t size_bytes) {
  MR_ASSIGN_OR_RETURN(const auto index, SegmentIndex::Load(source, size_bytes));
  SegmentCheck check{.bytes = size_bytes};
  for (const SegmentBlock& block : index->blocks()) {
    MR_ASSIGN_OR_RETURN(const SharedBytes stored, source.Fetch({block.byte_begin, block.stored_bytes}));
    if (const auto checked = CheckBlock(block, stored, check); !checked)
      check.damage.push_back(checked.error().WithDamage({.begin = block.base,
                                                         .end = block.end,
                                                         .byte_begin = block.byte_begin,
                                                         .byte_end = block.byte_begin + block.stored_bytes}));
  }
  return check;
}

}  // namespace millrace
