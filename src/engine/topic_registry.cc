#include "engine/topic_registry.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace {
namespace {

constexpr std::size_t kFirstBuckets = 64;

}  // namespace

TopicRegistry::TopicRegistry() {
  auto table = std::make_unique<Table>(kFirstBuckets);
  table_.store(table.get());
  MutexLock lock(mutex_);
  tables_.push_back(std::move(table));
}

TopicRegistry::~TopicRegistry() = default;

TopicRegistry::Node* TopicRegistry::FindNode(const Table& table, std::size_t hash, std::string_view name) {
  Node* node = table.buckets[hash & table.mask].load();
  while (node != nullptr && (node->hash != hash || node->name != name)) node = node->next;
  return node;
}

void TopicRegistry::Insert(Table& table, std::size_t hash, std::string_view name, Topic* topic) {
  auto& bucket = table.buckets[hash & table.mask];
  table.nodes.push_back(std::make_unique<Node>(hash, name, topic, bucket.load()));
  bucket.store(table.nodes.back().get(), std::memory_order_release);
}

/// A table of twice the size, without the names of topics that are gone.
void TopicRegistry::Grow() {
  auto grown = std::make_unique<Table>(2 * (tables_.back()->mask + 1));
  for (Topic* topic : present_) Insert(*grown, std::hash<std::string_view>{}(topic->name()), topic->name(), topic);
  table_.store(grown.get(), std::memory_order_release);
  tables_.push_back(std::move(grown));
}

Topic& TopicRegistry::Add(std::unique_ptr<Topic> topic) {
  MutexLock lock(mutex_);
  Topic& added = *topic;
  owned_.push_back(std::move(topic));
  Table& table = *tables_.back();
  const std::size_t hash = std::hash<std::string_view>{}(added.name());
  if (Node* node = FindNode(table, hash, added.name())) {
    MR_CHECK(node->topic.load() == nullptr, added.name());
    node->topic.store(&added, std::memory_order_release);
  } else {
    Insert(table, hash, added.name(), &added);
  }
  present_.push_back(&added);
  if (table.nodes.size() > table.mask) Grow();
  NoteChange();
  return added;
}

void TopicRegistry::Remove(Topic& topic) {
  MutexLock lock(mutex_);
  Node* node = FindNode(*tables_.back(), std::hash<std::string_view>{}(topic.name()), topic.name());
  MR_CHECK(node != nullptr && node->topic.load() == &topic, topic.name());
  node->topic.store(nullptr, std::memory_order_release);
  std::erase(present_, &topic);
  NoteChange();
}

std::vector<Topic*> TopicRegistry::Topics() const {
  MutexLock lock(mutex_);
  return present_;
}

std::vector<Topic*> TopicRegistry::TopicsEver() const {
  MutexLock lock(mutex_);
  std::vector<Topic*> topics;
  for (const auto& topic : owned_) topics.push_back(topic.get());
  return topics;
}

void TopicRegistry::ForEach(const std::function<void(TieredPartition&)>& visit) {
  for (Topic* topic : Topics())
    for (Partition* partition : topic->partitions()) visit(*partition);
}

}  // namespace millrace
