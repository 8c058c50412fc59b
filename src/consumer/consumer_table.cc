#include "consumer/consumer_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "consumer/consumer_implementation.h"

namespace millrace {
namespace {

std::vector<PartitionKey> KeysOf(std::span<PartitionSource* const> sources) {
  std::vector<PartitionKey> keys;
  for (const PartitionSource* source : sources) keys.push_back(source->key());
  return keys;
}

}  // namespace

ConsumerTable::ConsumerTable(TopicLookup lookup, PositionStore& positions, Clock& clock,
                             std::shared_ptr<CallGate> calls)
    : lookup_(std::move(lookup)), positions_(positions), clock_(clock), calls_(std::move(calls)) {}

void ConsumerTable::AwaitCalls() {
  calls_->Shut();
  calls_->AwaitEmpty();
}

ConsumerTable::~ConsumerTable() {
  End(Error(ErrorCode::kClosed, "the engine is closed"));
  AwaitCalls();
}

Result<std::unique_ptr<Consumer>> ConsumerTable::Open(const ConsumerSettings& settings, Subscription subscription) {
  auto member = std::make_shared<ConsumerMember>();
  member->group = settings.group;
  for (std::string& topic : subscription.topics)
    if (std::ranges::find(member->topics, topic) == member->topics.end()) member->topics.push_back(std::move(topic));
  member->own = std::move(subscription.partitions);
  {
    MutexLock lock(mutex_);
    if (ended_) return *ended_;
    if (!member->group.empty()) {
      GroupShare& share = groups_[member->group];
      const auto own = KeysOf(member->own);
      if (const auto taken = share.Conflict(own)) {
        const auto at = std::ranges::find(own, *taken) - own.begin();
        const TopicPartition& name = member->own[static_cast<std::size_t>(at)]->name();
        return Error(ErrorCode::kUnavailable,
                     fmt::format("{}/{} is read by another consumer of group {} in this process", name.topic,
                                 name.partition.value(), member->group),
                     "close that one first, or subscribe to the topic to share it");
      }
      member->number = ++last_number_;
      for (const std::string& topic : member->topics) share.SetPartitions(topic, KeysOf(SourcesOf(topic)));
      share.Join(member->number, member->topics, own);
      LookAnew(member->group, member.get());
    }
    members_.push_back(member);
  }
  return Consumer::Implementation::Open(settings, *this, calls_, std::move(member));
}

const std::vector<PartitionSource*>& ConsumerTable::SourcesOf(const std::string& topic) {
  auto& sources = sources_[topic];
  if (auto found = lookup_(topic)) sources = *std::move(found);
  return sources;
}

void ConsumerTable::LookAnew(std::string_view group, const ConsumerMember* but) {
  for (const auto& member : members_) {
    if (member.get() == but || member->group != group) continue;
    member->stale.store(true);
    member->bell->Ring();
  }
}

void ConsumerTable::OnTopic(std::string_view topic) {
  MutexLock lock(mutex_);
  const auto known = sources_.find(topic);
  if (known == sources_.end()) return;
  const auto keys = KeysOf(SourcesOf(known->first));
  std::set<std::string_view> groups;
  for (const auto& member : members_) {
    if (std::ranges::find(member->topics, topic) == member->topics.end()) continue;
    if (member->group.empty()) {
      member->stale.store(true);
      member->bell->Ring();
    } else if (groups.insert(member->group).second) {
      groups_.find(member->group)->second.SetPartitions(topic, keys);
    }
  }
  for (const std::string_view group : groups) LookAnew(group, nullptr);
}

std::vector<PartitionSource*> ConsumerTable::Take(ConsumerMember& member) {
  MutexLock lock(mutex_);
  member.stale.store(false);
  GroupShare* share = nullptr;
  if (!member.group.empty()) {
    share = &groups_.find(member.group)->second;
    if (share->Advance(member.number)) LookAnew(member.group, &member);
  }
  std::vector<PartitionSource*> taken;
  for (const std::string& topic : member.topics)
    for (PartitionSource* source : SourcesOf(topic))
      if (share == nullptr || share->Owns(member.number, source->key())) taken.push_back(source);
  if (member.own.empty()) return taken;
  const std::set<PartitionSource*> of_topics(taken.begin(), taken.end());
  for (PartitionSource* source : member.own)
    if (!of_topics.contains(source)) taken.push_back(source);
  return taken;
}

void ConsumerTable::Leave(ConsumerMember& member) {
  MutexLock lock(mutex_);
  std::erase_if(members_, [&](const auto& each) { return each.get() == &member; });
  const auto group = groups_.find(member.group);
  if (member.group.empty() || group == groups_.end()) return;
  group->second.Leave(member.number);
  if (group->second.empty()) {
    groups_.erase(group);
  } else {
    LookAnew(member.group, &member);
  }
}

void ConsumerTable::End(const Error& error) {
  MutexLock lock(mutex_);
  if (ended_) return;
  ended_ = error;
  for (const auto& member : members_) member->End(error);
}

}  // namespace millrace
