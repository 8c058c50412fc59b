#include "client/partition_name.h"

#include <fmt/format.h>

namespace millrace {

std::string PartitionName(const TopicPartition& partition) {
  return fmt::format("{}/{}", partition.topic, partition.partition.value());
}

}  // namespace millrace
