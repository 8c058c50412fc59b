// The marks of a partition.
#pragma once

#include "millrace/types.h"

namespace millrace {

struct PartitionOffsets {
  Offset log_start, hot_start, tiered_end, durable_end, log_end;
};

}  // namespace millrace
