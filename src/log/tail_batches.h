// What a look into the tail cache brings.
#pragma once

#include <cstdint>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/types.h"

namespace millrace {

/// Whether the first batch comes even if it alone is larger than the limit.
enum class Overshoot { kFirstBatch, kNever };

/// Whole batches from memory, contiguous and ascending.
struct TailBatches {
  enum class State {
    kHere,        // `batches` has at least one, unless the limit let none in: see `full`
    kNothingYet,  // nothing is visible at `begin` yet
    kElsewhere,   // it exists, and reading it may block
  };
  State state = State::kNothingYet;
  std::vector<SharedBytes> batches;  // from the one that holds `begin`; slices, no copies
  Offset next;                       // where to go on
  Offset high_watermark, log_start;
  bool full = false;  // the next batch did not fit the limit
};

/// Bytes of whole batches in [begin, end).
struct CountedBytes {
  std::uint64_t bytes = 0;
  Offset end;
};

}  // namespace millrace
