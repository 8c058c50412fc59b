#include "segment/segment_reader.h"

#include <fmt/format.h>

#include "base/try.h"
#include "record/record_batch_view.h"

namespace millrace {

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
