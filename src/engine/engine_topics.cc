// Topics: made, changed and removed one at a time; metadata first, then memory.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "engine/option_check.h"
#include "env/random_id.h"
#include "meta/topic_catalog.h"

namespace millrace {
namespace {

bool SameOptions(const TopicOptions& one, const TopicOptions& other) {
  return TopicRow{.options = one} == TopicRow{.options = other};
}

}  // namespace

Result<void> Engine::CreateTopic(std::string_view name, TopicOptions options) noexcept {
  return Changing(*state_, [&](State& state) { return state.MakeTopic(name, options); });
}

Result<void> Engine::AlterTopic(std::string_view name, TopicOptions options) noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_TRY(CheckTopicOptions(options));
    return state.ChangeTopics([&]() MR_REQUIRES(state.topics_mutex_) { return state.AlterTopicLocked(name, options); });
  });
}

Result<void> Engine::DeleteTopic(std::string_view name) noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_TRY(state.ChangeTopics([&]() MR_REQUIRES(state.topics_mutex_) { return state.DeleteTopicLocked(name); }));
    state.CollectIfNear();
    return {};
  });
}

Result<std::vector<TopicDescription>> Engine::DescribeTopics() noexcept {
  return Inside(*state_, [&](State& state) -> Result<std::vector<TopicDescription>> {
    std::vector<TopicDescription> descriptions;
    for (Topic* topic : state.registry_.Topics()) {
      auto rows = TopicCatalog(*state.components_.metadata).Partitions(topic->id());
      if (!rows && rows.error().code() == ErrorCode::kNotFound) continue;  // deleted meanwhile
      if (!rows) return std::move(rows).error();
      TopicDescription description{.name = topic->name(), .id = topic->uuid(), .options = topic->options()};
      for (Partition* partition : topic->partitions()) {
        PartitionDescription& described = description.partitions.emplace_back();
        described.partition = partition->name().partition;
        described.offsets = partition->log().offsets();
        described.bytes_local = partition->log().hot_bytes();
        described.damage = partition->log().damage_found();
        described.broken = partition->log().broken();
        described.upload_pending_bytes = partition->log().pending().bytes;
        described.upload_failure = state.uploader_.schedule().Failure(partition->upload());
        const auto row = std::ranges::lower_bound(*rows, partition->key(), {}, &PartitionRow::key);
        if (row == rows->end() || row->key != partition->key()) continue;
        described.bytes_object = row->segment_bytes;
        described.segments = row->segments;
      }
      descriptions.push_back(std::move(description));
    }
    std::ranges::sort(descriptions, {}, &TopicDescription::name);
    return descriptions;
  });
}

Result<PartitionId> Engine::PartitionFor(std::string_view topic, std::optional<std::string_view> key) noexcept {
  return Inside(*state_, [&](State& state) -> Result<PartitionId> {
    MR_ASSIGN_OR_RETURN(Topic * found, state.FindTopic(topic));
    return found->PartitionFor(key);
  });
}

Error Engine::State::NotFound(const TopicPartition& name) const {
  if (const Topic* topic = registry_.Find(std::string_view(name.topic)))
    return {ErrorCode::kNotFound, fmt::format("topic {} has no partition {}, only 0 to {}", name.topic,
                                              name.partition.value(), topic->partition_count() - 1)};
  return {ErrorCode::kNotFound, fmt::format("there is no topic {}", name.topic)};
}

Result<Topic*> Engine::State::FindTopic(std::string_view name) {
  if (Topic* topic = registry_.Find(name)) [[likely]]
    return topic;
  MR_TRY(CheckOpen());
  return NotFound({std::string(name), PartitionId(0)});
}

Result<Partition*> Engine::State::FindPartition(const TopicPartition& name) {
  if (Partition* partition = registry_.Find(name)) [[likely]]
    return partition;
  MR_TRY(CheckOpen());
  return NotFound(name);
}

Result<Topic*> Engine::State::FindOrCreateTopic(std::string_view name) {
  if (Topic* topic = registry_.Find(name)) [[likely]]
    return topic;
  if (!options_.auto_create_topics) return FindTopic(name);
  if (auto created = MakeTopic(name, {}); !created && created.error().code() != ErrorCode::kAlreadyExists)
    return std::move(created).error();
  return FindTopic(name);
}

Result<Partition*> Engine::State::FindForAppend(const TopicPartition& name) {
  if (Partition* partition = registry_.Find(name)) [[likely]]
    return partition;
  MR_TRY(FindOrCreateTopic(name.topic));
  return FindPartition(name);
}

Result<void> Engine::State::MakeTopic(std::string_view name, const TopicOptions& options) {
  MR_TRY(CheckTopicName(name));
  MR_TRY(CheckTopicOptions(options));
  return ChangeTopics([&]() MR_REQUIRES(topics_mutex_) { return CreateTopicLocked(name, options); });
}

/// One change at a time, memory agreeing with metadata before it; what it dropped is ended afterwards, since its
/// waiters are called under no lock.
Result<void> Engine::State::ChangeTopics(const std::function<Result<void>()>& change) {
  Result<void> changed;
  {
    MutexLock lock(topics_mutex_);
    changed = CheckOpen();
    if (changed) changed = ReconcileTopicsLocked();
    if (changed) changed = change();
  }
  EndDropped();
  return changed;
}

Result<void> Engine::State::CreateTopicLocked(std::string_view name, const TopicOptions& options) {
  if (registry_.Find(name) != nullptr)
    return Error(ErrorCode::kAlreadyExists, fmt::format("there is a topic {} already", name));
  const std::string uuid = RandomHexId(*components_.random);
  const auto row = TopicCatalog(*components_.metadata).CreateTopic(name, options, uuid, time_.WallMs());
  Result<void> done;
  if (row) {
    MR_DCHECK(row->uuid == uuid && row->name == name, row->uuid, row->name);
    const auto loaded = LoadTopic(*row);
    if (loaded) {
      consumers_.OnTopic(name);  // one of that name was deleted, and a consumer still asks for it
      return {};
    }
    done = loaded.error();
  } else if (row.error().code() == ErrorCode::kInvalidArgument) {
    return row.error();
  } else {
    done = row.error();
  }
  MR_TRY(KnowTopics(done.error()));
  const Topic* topic = registry_.Find(name);
  if (topic == nullptr || topic->uuid() != uuid) return done;
  consumers_.OnTopic(name);
  return {};
}

Result<void> Engine::State::AlterTopicLocked(std::string_view name, const TopicOptions& options) {
  MR_ASSIGN_OR_RETURN(Topic * topic, FindTopic(name));
  if (options.partitions < topic->partition_count())
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("topic {} has {} partitions, and they may only grow, not to {}", name,
                             topic->partition_count(), options.partitions));
  auto altered = TopicCatalog(*components_.metadata).AlterTopic(topic->id(), options);
  if (altered) altered = ApplyTopicRow(*topic, options);
  if (!altered) {
    MR_TRY(KnowTopics(altered.error()));
    if (registry_.Find(name) != topic || !SameOptions(topic->options(), options)) return altered;
  }
  consumers_.OnTopic(name);
  housekeeper_.Poke();
  return {};
}

Result<void> Engine::State::DeleteTopicLocked(std::string_view name) {
  MR_ASSIGN_OR_RETURN(Topic * topic, FindTopic(name));
  const auto deleted = TopicCatalog(*components_.metadata).DeleteTopic(topic->id(), time_.WallMs());
  if (deleted) {
    DropTopic(*topic);
    return {};
  }
  if (Planted(Bug::kMetaOutcomeGuessed)) return deleted;
  if (auto known = KnowTopics(deleted.error()); !known) {
    // What is appended now may be gone already: nothing is acknowledged until the outcome is known.
    for (Partition* partition : topic->partitions()) partition->Suspend(known.error());
    return known;
  }
  if (registry_.Find(name) == topic) return deleted;
  return {};
}

/// No longer found, and its calls refused; EndDropped does the rest.
void Engine::State::DropTopic(Topic& topic) {
  MR_CHECK(std::ranges::find(dropped_, &topic) == dropped_.end(), topic.name());
  registry_.Remove(topic);
  const Error gone(ErrorCode::kNotFound, fmt::format("topic {} was deleted", topic.name()));
  for (Partition* partition : topic.partitions()) partition->Suspend(gone);
  dropped_.push_back(&topic);
}

void Engine::State::EndDropped() {
  std::vector<Topic*> dropped;
  {
    MutexLock lock(topics_mutex_);
    dropped = std::exchange(dropped_, {});
  }
  for (Topic* topic : dropped) {
    const Error gone(ErrorCode::kNotFound, fmt::format("topic {} was deleted", topic->name()));
    for (Partition* partition : topic->partitions()) {
      partition->End(gone);
      producers_.Forget(Partition::StreamOf(partition->key()));
    }
    cursors_.ForgetTopic(topic->id(), gone);
  }
}

/// From metadata into memory: its partitions are found and started.
Result<Topic*> Engine::State::LoadTopic(const TopicRow& row) {
  MR_ASSIGN_OR_RETURN(const auto partitions, TopicCatalog(*components_.metadata).Partitions(row.id));
  auto topic = std::make_unique<Topic>(row);
  for (Partition* partition : topic->Grow(partitions, partition_context_)) MR_TRY(partition->Start());
  topic->Publish();
  MR_DCHECK(topic->partition_count() == row.options.partitions, topic->partition_count(), row.options.partitions);
  return &registry_.Add(std::move(topic));
}

/// Options and partitions as metadata has them.
Result<void> Engine::State::ApplyTopicRow(Topic& topic, const TopicOptions& options) {
  MR_ASSIGN_OR_RETURN(const auto partitions, TopicCatalog(*components_.metadata).Partitions(topic.id()));
  for (Partition* partition : topic.Grow(partitions, partition_context_)) MR_TRY(partition->Start());
  topic.SetOptions(options);
  topic.Publish();
  MR_DCHECK(topic.partition_count() >= options.partitions, topic.partition_count(), options.partitions);
  registry_.NoteChange();
  return {};
}

Result<void> Engine::State::KnowTopics(const Error& error) {
  topics_unsure_ = true;
  if (const auto known = ReconcileTopicsLocked(); !known) {
    housekeeper_.Poke();
    return error.WithContext("it is not known whether the change was made")
        .WithHint("repeat it when the metadata store answers again");
  }
  return {};
}

Result<void> Engine::State::ReconcileTopics() {
  Result<void> known;
  {
    MutexLock lock(topics_mutex_);
    if (closed_.load()) return {};  // Close ends what there is
    known = ReconcileTopicsLocked();
  }
  EndDropped();
  return known;
}

Result<void> Engine::State::ReconcileTopicsLocked() {
  if (!topics_unsure_) return {};
  MR_ASSIGN_OR_RETURN(const auto rows, TopicCatalog(*components_.metadata).Topics());
  std::set<TopicId> present;
  for (const TopicRow& row : rows) present.insert(row.id);
  for (Topic* topic : registry_.Topics())
    if (!present.contains(topic->id())) DropTopic(*topic);
  for (const TopicRow& row : rows) {
    Topic* topic = registry_.Find(row.name);
    if (topic == nullptr) {
      MR_TRY(LoadTopic(row));
      continue;
    }
    if (!SameOptions(topic->options(), row.options) || topic->partition_count() != row.options.partitions)
      MR_TRY(ApplyTopicRow(*topic, row.options));
    for (Partition* partition : topic->partitions()) partition->Resume();
  }
  MR_DCHECK(registry_.Topics().size() == rows.size(), registry_.Topics().size(), rows.size());
  topics_unsure_ = false;
  return {};
}

}  // namespace millrace
