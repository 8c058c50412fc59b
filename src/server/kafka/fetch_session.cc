#include "server/kafka/fetch_session.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

FetchSession::~FetchSession() { budget_.Give(bytes_); }

std::string_view FetchSession::KeyOf(std::string_view name, const kafka::Uuid& id) const {
  if (by_ == TopicsBy::kName) return name;
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

bool FetchSession::Take(std::uint64_t bytes) {
  if (!budget_.TryTake(bytes)) return false;
  bytes_ += bytes;
  return true;
}

void FetchSession::Give(std::uint64_t bytes) {
  bytes_ -= bytes;
  budget_.Give(bytes);
}

SessionTopic* FetchSession::FindOrAdd(std::string_view name, const kafka::Uuid& id) {
  const std::string_view key = KeyOf(name, id);
  const auto found = topics_.find(key);
  if (found != topics_.end()) return &found->second;
  if (!Take(TopicBytes(name, id))) return nullptr;
  SessionTopic& topic = topics_[std::string(key)];
  topic.name = name;
  topic.id = id;
  return &topic;
}

bool FetchSession::Ask(kafka::Array<kafka::FetchRequest::Topic> topics) {
  for (const kafka::FetchRequest::Topic& asked : topics) {
    if (asked.partitions.empty()) continue;
    SessionTopic* topic = FindOrAdd(asked.topic, asked.topic_id);
    if (topic == nullptr) return false;
    for (const kafka::FetchRequest::Partition& one : asked.partitions) {
      auto place = topic->partitions.find(one.partition);
      if (place == topic->partitions.end()) {
        if (!Take(kPartitionBytes)) return false;
        place = topic->partitions.try_emplace(one.partition).first;
        place->second.topic = topic;
        place->second.turn = ++last_turn_;
        ++size_;
      }
      place->second.asked = one;
      Wake(place->second);
    }
  }
  return true;
}

SessionPartition& FetchSession::At(std::string_view name, const kafka::Uuid& id, std::int32_t partition) {
  const auto topic = topics_.find(KeyOf(name, id));
  MR_CHECK(topic != topics_.end(), id_, partition);
  return topic->second.partitions.at(partition);
}

void FetchSession::Drop(Topics::iterator topic, std::int32_t partition) {
  const auto place = topic->second.partitions.find(partition);
  if (place == topic->second.partitions.end()) return;
  SessionPartition& dropped = place->second;
  Rest(dropped);
  if (dropped.watch != 0) forgotten_.push_back(dropped.watch);
  topic->second.partitions.erase(place);
  --size_;
  Give(kPartitionBytes);
}

void FetchSession::Forget(kafka::Array<kafka::FetchRequest::ForgottenTopic> topics) {
  for (const kafka::FetchRequest::ForgottenTopic& forgotten : topics) {
    const auto topic = topics_.find(KeyOf(forgotten.topic, forgotten.topic_id));
    if (topic == topics_.end()) continue;
    for (const std::int32_t partition : forgotten.partitions) Drop(topic, partition);
    if (!topic->second.partitions.empty()) continue;
    Give(TopicBytes(topic->second.name, topic->second.id));
    topics_.erase(topic);
  }
}

std::vector<SessionPartition*> FetchSession::Active() const {
  std::vector<SessionPartition*> active = active_;
  std::ranges::sort(active, {}, [](const SessionPartition* one) { return one->turn; });
  return active;
}

void FetchSession::Wake(SessionPartition& partition) {
  if (partition.place != SessionPartition::kAtRest) return;
  partition.place = active_.size();
  active_.push_back(&partition);
}

void FetchSession::Rest(SessionPartition& partition) {
  if (partition.place == SessionPartition::kAtRest) return;
  active_[partition.place] = active_.back();
  active_[partition.place]->place = partition.place;
  active_.pop_back();
  partition.place = SessionPartition::kAtRest;
}

bool FetchSession::Tell(SessionPartition& partition, const Found& found) {
  const bool moved = partition.high_watermark != found.high_watermark || partition.log_start != found.log_start;
  // Once an error is over, the client is told so.
  partition.high_watermark = found.failed ? -1 : found.high_watermark;
  partition.log_start = found.log_start;
  if (found.bytes > 0) partition.turn = ++last_turn_;
  return moved || found.bytes > 0 || found.failed || found.diverging;
}

void FetchSession::Enter(std::function<void()> superseded) {
  // It may let go of this session.
  if (const auto before = std::exchange(superseded_, std::move(superseded))) before();
}

}  // namespace millrace
