// A topic and its partitions. Partitions are only ever added; finding one takes no lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/partition.h"
#include "engine/topic_settings.h"
#include "millrace/metadata_store.h"
#include "millrace/options.h"

namespace millrace {

/// Safe from any thread.
class Topic {
 public:
  explicit Topic(TopicRow row);

  [[nodiscard]] TopicId id() const { return row_.id; }
  [[nodiscard]] const std::string& uuid() const { return row_.uuid; }
  [[nodiscard]] const std::string& name() const { return row_.name; }
  [[nodiscard]] TopicOptions options() const { return settings_.options(); }
  void SetOptions(const TopicOptions& options) {
    settings_.Set(options);
    changes_.fetch_add(1, std::memory_order_release);
  }
  /// Grows with each change of options and each Publish, once it can be seen.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  /// Null: no such partition.
  [[nodiscard]] Partition* Find(PartitionId id) const {
    const Array& array = *array_.load(std::memory_order_acquire);
    const auto index = static_cast<std::size_t>(static_cast<std::uint32_t>(id.value()));
    return index < array.size() ? array[index] : nullptr;
  }
  [[nodiscard]] std::int32_t partition_count() const {
    return static_cast<std::int32_t>(array_.load(std::memory_order_acquire)->size());
  }
  /// In partition order, as of now.
  [[nodiscard]] const std::vector<Partition*>& partitions() const { return *array_.load(std::memory_order_acquire); }
  /// The partitions that `rows` has and the topic does not. In order; no caller sees them before Publish.
  std::vector<Partition*> Grow(std::span<const PartitionRow> rows, PartitionContext& context);
  void Publish();

  /// For records without a key.
  [[nodiscard]] PartitionId NextInTurn() {
    return PartitionId(static_cast<std::int32_t>(turn_.fetch_add(1, std::memory_order_relaxed) %
                                                 static_cast<std::uint64_t>(partition_count())));
  }
  [[nodiscard]] PartitionId PartitionFor(std::optional<std::string_view> key);

 private:
  using Array = std::vector<Partition*>;

  const TopicRow row_;
  TopicSettings settings_;
  std::atomic<std::uint64_t> turn_{0}, changes_{0};
  std::atomic<const Array*> array_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Partition>> owned_ MR_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const Array>> arrays_ MR_GUARDED_BY(mutex_);  // old ones too: a reader may look at one
};

}  // namespace millrace
