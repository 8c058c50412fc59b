// What an append answers.
#pragma once

#include <cstdint>

#include "millrace/options.h"
#include "millrace/types.h"

namespace millrace {

struct AppendReceipt {
  Offset base_offset;
  Offset last_offset;             // base - 1 for an empty append
  std::int64_t timestamp_ms = 0;  // of the last record
  Durability reached = Durability::kOs;
  PartitionId partition;
  bool repeated = false;  // its producer had appended it before: offsets and time are those of the first time
};

}  // namespace millrace
