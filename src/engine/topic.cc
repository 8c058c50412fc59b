#include "engine/topic.h"

#include <utility>

#include "base/check.h"
#include "engine/partitioner.h"
#include "millrace/bytes.h"

namespace millrace {

Topic::Topic(TopicRow row) : row_(std::move(row)), settings_(row_.options) {
  auto empty = std::make_unique<const Array>();
  array_.store(empty.get());
  MutexLock lock(mutex_);
  arrays_.push_back(std::move(empty));
}

std::vector<Partition*> Topic::Grow(std::span<const PartitionRow> rows, PartitionContext& context) {
  MutexLock lock(mutex_);
  std::vector<Partition*> added;
  for (std::size_t i = owned_.size(); i < rows.size(); ++i) {
    MR_CHECK(rows[i].key.partition.value() == static_cast<std::int32_t>(i), rows[i].key.partition.value(), i);
    owned_.push_back(
        std::make_unique<Partition>(settings_, TopicPartition{row_.name, rows[i].key.partition}, rows[i], context));
    added.push_back(owned_.back().get());
  }
  return added;
}

void Topic::Publish() {
  MutexLock lock(mutex_);
  auto array = std::make_unique<Array>();
  for (const auto& partition : owned_) array->push_back(partition.get());
  array_.store(array.get(), std::memory_order_release);
  arrays_.push_back(std::move(array));
  changes_.fetch_add(1, std::memory_order_release);
}

PartitionId Topic::PartitionFor(std::optional<std::string_view> key) {
  if (!key) return NextInTurn();
  return PartitionOfKey(AsBytes(*key), partition_count());
}

}  // namespace millrace
