// A partition as messages name it.
#pragma once

#include <string>

#include "millrace/types.h"

namespace millrace {

/// "orders/3".
std::string PartitionName(const TopicPartition& partition);

}  // namespace millrace
