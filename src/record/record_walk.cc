#include "record/record_walk.h"

#include <fmt/format.h>

namespace millrace {

Error BadRecord(const RecordBatchView& batch, std::int32_t index, std::string_view why) {
  return {ErrorCode::kCorruption, fmt::format("record batch at offset {}: record {} of {} {}",
                                              batch.base_offset().value(), index, batch.record_count(), why)};
}

}  // namespace millrace
