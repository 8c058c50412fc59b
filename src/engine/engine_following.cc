// A log that is read from its object store alone, while somebody else writes it: files and metadata of this engine are
// in memory, and the rows follow what is found in the store.
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "engine/engine_state.h"
#include "engine/log_restore.h"
#include "store/noticing_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/log_survey.h"

namespace millrace {
namespace {

/// Where its files would lie: they are in memory, and nothing is there.
constexpr const char* kNowhere = "/millrace-follower";

}  // namespace

Result<std::unique_ptr<Engine::State>> Engine::State::OpenFollowing(EngineOptions options, Components components,
                                                                    Background background, const StorageSizes& sizes) {
  options.data_dir = kNowhere;
  const DataLayout layout = DataLayout::Of(options);
  MR_TRY(components.OpenFollowed(options, layout));
  if (options.objects && background == Background::kThreads)
    components.objects = components.brought =
        std::make_shared<AbandoningObjectStore>(components.objects, components.clock);
  std::function<void(std::chrono::nanoseconds)> pause;
  if (background == Background::kNone) pause = [](std::chrono::nanoseconds) {};
  RetryingObjectStore retrying(components.objects, {}, *components.clock, *components.random, std::move(pause));
  MR_ASSIGN_OR_RETURN(const LogText log, ReadLogText(retrying, layout.key_prefix));
  options.object_store = components.home;
  std::unique_ptr<State> engine(
      new State(std::move(options), layout, std::move(components), nullptr, log.identity, background, sizes));
  MR_TRY(engine->Recover());
  if (background == Background::kThreads) MR_TRY(engine->follower_->Start(engine->calls()));
  return engine;
}

std::unique_ptr<LogFollower> Engine::State::MakeFollower() {
  if (!components_.follows) return nullptr;
  const std::size_t at_once = background_ == Background::kThreads ? RestoreOptions{}.requests_at_once : 1;
  return std::make_unique<LogFollower>(
      *stopping_, StoreKeys(layout_.key_prefix, identity_), at_once, *components_.metadata, *components_.clock, events_,
      FollowerEngine{.move_starts = [this](const FollowedNews& news) { MoveStarts(news); },
                     .take = [this](const FollowedNews& news,
                                    std::span<const FollowedChange> changes) { return TakeNews(news, changes); }});
}

/// An object that readers miss may have been collected: then what the store tells now is truer than the rows.
std::shared_ptr<ObjectStore> Engine::State::ReadersStore() {
  auto claimed = std::make_shared<ClaimedObjectStore>(stopping_, claim_);
  if (!follower_) return claimed;
  return std::make_shared<NoticingObjectStore>(std::move(claimed), [this] { follower_->OnMissing(); });
}

void Engine::State::MoveStarts(const FollowedNews& news) {
  std::unordered_map<TopicId, Topic*> topics;
  for (Topic* topic : registry_.Topics()) topics.emplace(topic->id(), topic);
  for (const FollowedPartition& partition : news.partitions) {
    const auto topic = topics.find(partition.row.key.topic);
    Partition* found = topic == topics.end() ? nullptr : topic->second->Find(partition.row.key.partition);
    if (found != nullptr) found->FollowStart(partition.row);
  }
}

Result<void> Engine::State::TakeNews(const FollowedNews& news, std::span<const FollowedChange> changes) {
  std::unordered_map<TopicId, Topic*> topics;
  for (Topic* topic : registry_.Topics()) topics.emplace(topic->id(), topic);
  for (const FollowedChange& change : changes) {
    const auto topic = topics.find(change.row.key.topic);
    Partition* found = topic == topics.end() ? nullptr : topic->second->Find(change.row.key.partition);
    if (found == nullptr) continue;  // it comes with its topic
    std::optional<std::span<const SegmentRow>> added;
    if (!change.replaced) added = change.added;
    found->FollowEnd(change.row, added);
  }
  if (!news.topics_changed) return {};
  {
    MutexLock lock(topics_mutex_);
    topics_unsure_ = true;
  }
  MR_TRY(ReconcileTopics());
  for (const TopicRow& topic : news.topics) consumers_.OnTopic(topic.name);
  return {};
}

}  // namespace millrace
