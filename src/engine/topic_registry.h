// Topics by name. Finding one takes no lock and shares no written cache line, so that any number of threads append at
// once; topics that are gone stay in memory until the engine is destroyed, for the callers that still look at one.
//
//   table ─► bucket ─► node(name) ─► topic | null (deleted)         grown by a new table; old ones are kept
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "engine/topic.h"
#include "tier/tiered_partition.h"

namespace millrace {

/// Safe from any thread.
class TopicRegistry final : public TieredPartitions {
 public:
  TopicRegistry();
  ~TopicRegistry() override;

  /// Null: there is none.
  [[nodiscard]] Topic* Find(std::string_view name) const {
    const std::size_t hash = std::hash<std::string_view>{}(name);
    const Table& table = *table_.load(std::memory_order_acquire);
    const Node* node = table.buckets[hash & table.mask].load(std::memory_order_acquire);
    for (; node != nullptr; node = node->next)
      if (node->hash == hash && node->name == name) return node->topic.load(std::memory_order_acquire);
    return nullptr;
  }
  /// Null: there is none.
  [[nodiscard]] Partition* Find(const TopicPartition& name) const {
    const Topic* topic = Find(std::string_view(name.topic));
    return topic == nullptr ? nullptr : topic->Find(name.partition);
  }

  /// Precondition: no topic of that name is there.
  Topic& Add(std::unique_ptr<Topic> topic);
  /// No longer found by name.
  void Remove(Topic& topic);
  /// Grows with each change of topics, once it can be seen.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
  /// A topic that is here was changed: options, partitions, or what they answer.
  void NoteChange() { changes_.fetch_add(1, std::memory_order_release); }
  /// Those that exist now, in the order of their making.
  [[nodiscard]] std::vector<Topic*> Topics() const;
  /// And those that are gone.
  [[nodiscard]] std::vector<Topic*> TopicsEver() const;
  void ForEach(const std::function<void(TieredPartition&)>& visit) override;

 private:
  struct Node {
    std::size_t hash;
    std::string_view name;  // of the first topic that had it
    std::atomic<Topic*> topic;
    Node* next;
  };
  struct Table {
    explicit Table(std::size_t size) : mask(size - 1), buckets(size) {}
    std::size_t mask;
    std::vector<std::atomic<Node*>> buckets;
    std::vector<std::unique_ptr<Node>> nodes;
  };
  static Node* FindNode(const Table& table, std::size_t hash, std::string_view name);
  static void Insert(Table& table, std::size_t hash, std::string_view name, Topic* topic);
  void Grow() MR_REQUIRES(mutex_);

  std::atomic<const Table*> table_;
  std::atomic<std::uint64_t> changes_{0};
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Table>> tables_ MR_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Topic>> owned_ MR_GUARDED_BY(mutex_);
  std::vector<Topic*> present_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
