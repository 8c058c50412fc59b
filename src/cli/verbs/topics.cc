#include "cli/verbs/topics.h"

#include <fmt/format.h>

#include "base/try.h"
#include "text/nearest_name.h"

namespace millrace {

Result<TopicDescription> FindTopic(Engine& engine, std::string_view name) {
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine.DescribeTopics());
  std::vector<std::string_view> names;
  for (TopicDescription& topic : topics) {
    if (topic.name == name) return std::move(topic);
    names.push_back(topic.name);
  }
  Error error(ErrorCode::kNotFound, fmt::format("there is no topic {}", name));
  if (auto nearest = NearestName(name, names)) return error.WithHint(fmt::format("Did you mean {}?", *nearest));
  return error.WithHint("`millrace topic ls` lists what there is.");
}

Result<std::vector<TopicPartition>> PartitionsOf(const TopicDescription& topic, std::optional<std::int64_t> only) {
  std::vector<TopicPartition> partitions;
  for (const PartitionDescription& partition : topic.partitions) {
    if (!only || partition.partition.value() == *only) partitions.push_back({topic.name, partition.partition});
  }
  if (partitions.empty() && only) {
    return Error(ErrorCode::kNotFound, fmt::format("topic {} has no partition {}", topic.name, *only),
                 fmt::format("It has {}, counted from 0.", topic.partitions.size()));
  }
  return partitions;
}

}  // namespace millrace
