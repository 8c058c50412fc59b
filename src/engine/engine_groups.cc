// Consumers, and groups as names for positions.
#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "consumer/consumer_implementation.h"
#include "engine/engine_implementation.h"

namespace millrace {

Result<std::unique_ptr<Consumer>> Engine::Implementation::OpenConsumer(const ConsumerOptions& options) {
  MR_TRY(CheckOpen());
  std::vector<PartitionSource*> sources;
  const auto add = [&](Partition* partition) {
    if (std::ranges::find(sources, partition) == sources.end()) sources.push_back(partition);
  };
  for (const std::string& name : options.topics) {
    MR_ASSIGN_OR_RETURN(Topic * topic, FindTopic(name));
    for (Partition* partition : topic->partitions()) add(partition);
  }
  for (const TopicPartition& name : options.partitions) {
    MR_ASSIGN_OR_RETURN(Partition * partition, FindPartition(name));
    add(partition);
  }
  if (sources.empty()) return Error(ErrorCode::kInvalidArgument, "a consumer reads at least one topic or partition");
  std::function<ThreadPool*()> read_pool;
  if (background_ == Background::kThreads) read_pool = [this] { return ReadPool().value_or(nullptr); };
  return Consumer::Implementation::Open({.group = options.group,
                                         .reset = options.reset,
                                         .on_damage = options.on_damage,
                                         .fetch_size = options_.read.fetch_size,
                                         .read_pool = std::move(read_pool)},
                                        sources, positions_, *components_.clock);
}

Result<std::vector<std::string>> Engine::Implementation::ListGroups() {
  MR_TRY(CheckOpen());
  return components_.metadata->Groups();
}

Result<std::vector<GroupPosition>> Engine::Implementation::DescribeGroup(std::string_view group) {
  MR_TRY(CheckOpen());
  MR_TRY(CheckGroupName(group));
  MR_ASSIGN_OR_RETURN(const auto stored, positions_.Load(group));
  if (stored.empty()) return Error(ErrorCode::kNotFound, fmt::format("there is no group {}", group));
  std::vector<GroupPosition> positions;
  for (Topic* topic : registry_.Topics()) {
    for (Partition* partition : topic->partitions()) {
      const auto found = std::ranges::lower_bound(stored, partition->key(), {}, &PartitionPosition::partition);
      if (found == stored.end() || found->partition != partition->key()) continue;
      const OffsetBounds bounds = partition->bounds();
      const std::int64_t lag = bounds.end - std::max(found->position, bounds.log_start);
      positions.push_back(
          {partition->name(), found->position, static_cast<std::uint64_t>(std::max<std::int64_t>(0, lag))});
    }
  }
  std::ranges::sort(positions, {}, &GroupPosition::partition);
  return positions;
}

Result<void> Engine::Implementation::SeekGroup(std::string_view group, const TopicPartition& partition,
                                               Offset position) {
  MR_TRY(CheckOpen());
  MR_TRY(CheckGroupName(group));
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  const OffsetBounds bounds = found->bounds();
  if (position < bounds.log_start || position > bounds.end)
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("{}/{} has offsets {} to {}, not {}", partition.topic, partition.partition.value(),
                             bounds.log_start.value(), bounds.end.value(), position.value()))
        .WithBounds(bounds);
  const PartitionPosition row{found->key(), position};
  return positions_.Store(group, {&row, 1});
}

Result<void> Engine::Implementation::DeleteGroup(std::string_view group) {
  MR_TRY(CheckOpen());
  MR_TRY(CheckGroupName(group));
  return positions_.Remove(group);
}

}  // namespace millrace
