#include "read/decode_batches.h"

#include <utility>

#include "base/try.h"
#include "record/record_batch_view.h"

namespace millrace {

Result<ReadResult> DecodeBatches(BatchReadResult batches, Offset begin, const ReadLimits& limits,
                                 const TopicPartition& name) {
  ReadResult result{.next = batches.next,
                    .high_watermark = batches.high_watermark,
                    .log_start = batches.log_start,
                    .skipped = std::move(batches.skipped),
                    .explanation = std::move(batches.explanation)};
  if (limits.records_max == 0) {
    result.next = begin;
    return result;
  }
  for (const SharedBytes& batch : batches.batches) {
    const std::size_t room = limits.records_max - result.records.size();
    if (room == 0) {
      MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes()));
      result.next = view.base_offset();
      return result;
    }
    const DecodeLimits wanted{.from = begin, .records_max = room, .decoded_bytes_max = kDecodedBytesMax};
    const Result<Offset> next = DecodeRecords(batch, wanted, result.records);
    if (next && result.records.size() < limits.records_max) continue;  // all of it
    MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes()));
    if (!next) {
      const DamagedRange damage{name,        std::max(begin, view.base_offset()), view.end_offset(), "record batch", 0,
                                batch.size()};
      if (limits.on_damage == OnDamage::kSkip) {
        result.skipped.push_back(damage);
        continue;
      }
      if (result.records.empty()) return next.error().WithDamage(damage);
      result.next = damage.begin;
      return result;
    }
    if (*next < view.end_offset()) {  // cut within the batch
      result.next = *next;
      return result;
    }
  }
  return result;
}

}  // namespace millrace
