// What a read of the hot tier brings.
#pragma once

#include <cstdint>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/types.h"

namespace millrace {

/// Whole batches from the hot tier, contiguous and ascending, each verified.
struct HotBatches {
  std::vector<SharedBytes> batches;
  Offset next;  // where to go on
  std::uint64_t tail_bytes = 0, wal_bytes = 0;
  bool full = false;  // the next batch does not fit bytes_max
};

}  // namespace millrace
