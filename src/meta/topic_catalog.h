// Topics and their partitions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store, beside its own.
class TopicCatalog {
 public:
  explicit TopicCatalog(MetadataStore& store) : store_(store) {}

  /// Also makes the partition rows (epoch 0, offsets 0). kAlreadyExists by name; kInvalidArgument.
  Result<TopicRow> CreateTopic(std::string_view name, const TopicOptions& options, std::string_view uuid,
                               std::int64_t now_ms) const;
  /// Replaces the options; partitions may only grow. kNotFound, kInvalidArgument.
  Result<void> AlterTopic(TopicId topic, const TopicOptions& options) const;
  /// Removes the topic, its partitions, segments and positions; objects that lose their last segment become kDeleting.
  /// The topic is gone at once and whole; of many segments and positions the rest may go in further transactions, so
  /// that other callers need not wait, and is taken up again after a crash. An error means that the topic is still
  /// there, or that the outcome is unknown. kNotFound.
  Result<void> DeleteTopic(TopicId topic, std::int64_t now_ms) const;
  /// In the order of their ids.
  Result<std::vector<TopicRow>> Topics() const;
  /// Of all topics, by topic and partition. Of one that is altered or deleted meanwhile there may be too many or too
  /// few.
  Result<std::vector<PartitionRow>> AllPartitions() const;
  /// In partition order. kNotFound.
  Result<std::vector<PartitionRow>> Partitions(TopicId topic) const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
