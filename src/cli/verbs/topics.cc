#include "cli/verbs/topics.h"

#include <fmt/format.h>

#include "base/try.h"
#include "client/local_log.h"
#include "kafka/topic_settings.h"
#include "text/nearest_name.h"

namespace millrace {

Result<LogTopic> FindTopic(Log& log, std::string_view name) {
  auto found = log.DescribeTopic(name);
  if (found || found.error().code() != ErrorCode::kNotFound) return found;
  MR_ASSIGN_OR_RETURN(const std::vector<LogTopic> topics, log.DescribeTopics());
  std::vector<std::string_view> names;
  for (const LogTopic& topic : topics) names.push_back(topic.name);
  if (auto nearest = NearestName(name, names)) return found.error().WithHint(fmt::format("Did you mean {}?", *nearest));
  return found.error().WithHint("`millrace topic ls` lists what there is.");
}

Result<LogTopic> FindTopic(Engine& engine, std::string_view name) {
  LocalLog log(engine);
  return FindTopic(log, name);
}

std::string NewTopicInWords(const LogTopic& topic) {
  const std::size_t partitions = topic.partitions.size();
  const std::string durability =
      topic.durability ? fmt::format(", durability {}", DurabilityName(*topic.durability)) : std::string();
  return fmt::format("{} ({} partition{}{})", topic.name, partitions, partitions == 1 ? "" : "s", durability);
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
