// Topics: made, changed and removed one at a time; metadata first, then memory.
#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "engine/engine_implementation.h"
#include "engine/option_check.h"
#include "env/random_id.h"

namespace millrace {

Error Engine::Implementation::NotFound(const TopicPartition& name) const {
  if (const Topic* topic = registry_.Find(std::string_view(name.topic)))
    return {ErrorCode::kNotFound, fmt::format("topic {} has no partition {}, only 0 to {}", name.topic,
                                              name.partition.value(), topic->partition_count() - 1)};
  return {ErrorCode::kNotFound, fmt::format("there is no topic {}", name.topic)};
}

Result<Topic*> Engine::Implementation::FindTopic(std::string_view name) {
  if (Topic* topic = registry_.Find(name)) [[likely]]
    return topic;
  MR_TRY(CheckOpen());
  return NotFound({std::string(name), PartitionId(0)});
}

Result<Partition*> Engine::Implementation::FindPartition(const TopicPartition& name) {
  if (Partition* partition = registry_.Find(name)) [[likely]]
    return partition;
  MR_TRY(CheckOpen());
  return NotFound(name);
}

Result<Topic*> Engine::Implementation::FindOrCreateTopic(std::string_view name) {
  if (Topic* topic = registry_.Find(name)) [[likely]]
    return topic;
  if (!options_.auto_create_topics) return FindTopic(name);
  if (auto created = CreateTopic(name, {}); !created && created.error().code() != ErrorCode::kAlreadyExists)
    return std::move(created).error();
  return FindTopic(name);
}

Result<Partition*> Engine::Implementation::FindForAppend(const TopicPartition& name) {
  if (Partition* partition = registry_.Find(name)) [[likely]]
    return partition;
  MR_TRY(FindOrCreateTopic(name.topic));
  return FindPartition(name);
}

Result<PartitionId> Engine::Implementation::PartitionFor(std::string_view topic, std::optional<std::string_view> key) {
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(Topic * found, FindTopic(topic));
  return found->PartitionFor(key);
}

Result<void> Engine::Implementation::CreateTopic(std::string_view name, const TopicOptions& options) {
  MR_TRY(CheckTopicName(name));
  MR_TRY(CheckTopicOptions(options));
  MutexLock lock(topics_mutex_);
  MR_TRY(CheckOpen());
  if (registry_.Find(name) != nullptr)
    return Error(ErrorCode::kAlreadyExists, fmt::format("there is a topic {} already", name));
  MR_ASSIGN_OR_RETURN(
      const TopicRow row,
      components_.metadata->CreateTopic(name, options, RandomHexId(*components_.random), components_.clock->WallMs()));
  MR_ASSIGN_OR_RETURN(const auto partitions, components_.metadata->Partitions(row.id));
  auto topic = std::make_unique<Topic>(row);
  for (Partition* partition : topic->Grow(partitions, partition_context_)) MR_TRY(partition->Start());
  topic->Publish();
  Topic& added = registry_.Add(std::move(topic));
  if (closed_.load())  // Close went past us: nobody else ends these
    for (Partition* partition : added.partitions()) partition->End(Error(ErrorCode::kClosed, "the engine is closed"));
  return {};
}

Result<void> Engine::Implementation::AlterTopic(std::string_view name, const TopicOptions& options) {
  MR_TRY(CheckTopicOptions(options));
  MutexLock lock(topics_mutex_);
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(Topic * topic, FindTopic(name));
  if (options.partitions < topic->partition_count())
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("topic {} has {} partitions, and they may only grow, not to {}", name,
                             topic->partition_count(), options.partitions));
  MR_TRY(components_.metadata->AlterTopic(topic->id(), options));
  MR_ASSIGN_OR_RETURN(const auto partitions, components_.metadata->Partitions(topic->id()));
  for (Partition* partition : topic->Grow(partitions, partition_context_)) MR_TRY(partition->Start());
  topic->SetOptions(options);
  topic->Publish();
  housekeeper_.Poke();
  return {};
}

Result<void> Engine::Implementation::DeleteTopic(std::string_view name) {
  {
    MutexLock lock(topics_mutex_);
    MR_TRY(CheckOpen());
    MR_ASSIGN_OR_RETURN(Topic * topic, FindTopic(name));
    MR_TRY(components_.metadata->DeleteTopic(topic->id(), components_.clock->WallMs()));
    registry_.Remove(*topic);
    const Error gone(ErrorCode::kNotFound, fmt::format("topic {} was deleted", name));
    for (Partition* partition : topic->partitions()) partition->End(gone);
    cursors_.ForgetTopic(topic->id(), gone);
  }
  CollectIfNear();
  return {};
}

Result<std::vector<TopicDescription>> Engine::Implementation::DescribeTopics() {
  MR_TRY(CheckOpen());
  std::vector<TopicDescription> descriptions;
  for (Topic* topic : registry_.Topics()) {
    auto rows = components_.metadata->Partitions(topic->id());
    if (!rows && rows.error().code() == ErrorCode::kNotFound) continue;  // deleted meanwhile
    if (!rows) return std::move(rows).error();
    TopicDescription description{.name = topic->name(), .id = topic->uuid(), .options = topic->options()};
    for (Partition* partition : topic->partitions()) {
      PartitionDescription& described = description.partitions.emplace_back();
      described.partition = partition->name().partition;
      described.offsets = partition->log().offsets();
      described.bytes_local = partition->log().hot_bytes();
      const auto row = std::ranges::find(*rows, partition->key(), &PartitionRow::key);
      if (row == rows->end()) continue;
      described.bytes_object = row->segment_bytes;
      described.segments = row->segments;
    }
    descriptions.push_back(std::move(description));
  }
  std::ranges::sort(descriptions, {}, &TopicDescription::name);
  return descriptions;
}

}  // namespace millrace
