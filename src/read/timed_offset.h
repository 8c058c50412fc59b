// A record by its place and its time.
#pragma once

#include <cstdint>

#include "millrace/types.h"

namespace millrace {

struct TimedOffset {
  Offset offset;
  std::int64_t timestamp_ms = 0;
  friend bool operator==(const TimedOffset&, const TimedOffset&) = default;
};

}  // namespace millrace
