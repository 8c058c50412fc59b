#include "meta/topic_catalog.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/metadata_rows.h"
#include "meta/topic_removal.h"
#include "meta/topic_rules.h"

namespace millrace {

Result<TopicRow> TopicCatalog::CreateTopic(std::string_view name, const TopicOptions& options, std::string_view uuid,
                                           std::int64_t now_ms) const {
  TopicRow made{TopicId(0), std::string(uuid), std::string(name), options, now_ms};
  MR_TRY(CarryOut(store_, [&](EarlierAttempt earlier) -> Result<Transition> {
    const MetadataKey keys[] = {StoreKey{std::string(kNextTopicName)}, TopicNameKey{made.name}};
    MR_ASSIGN_OR_RETURN(const auto rows, store_.Get(keys));
    if (rows[1]) {
      const auto& present = std::get<TopicRow>(*rows[1]);
      const bool ours = earlier == EarlierAttempt::kUnknown && present.id == made.id && present.uuid == made.uuid;
      if (ours) return Transition();
      return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: there is already a topic {}", name));
    }
    return CreateTopicRule(rows[0] ? std::optional(std::get<StoreRow>(*rows[0])) : std::nullopt, made);
  }));
  return made;
}

Result<void> TopicCatalog::AlterTopic(TopicId topic, const TopicOptions& options) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, TopicKey{topic}));
    if (!row) return TopicNotFound(topic);
    return AlterTopicRule(*row, options);
  });
}

Result<void> TopicCatalog::DeleteTopic(TopicId topic, std::int64_t now_ms) const {
  TopicRemoval removal(store_, topic);
  bool all = false, first = true;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt earlier) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, TopicKey{topic}));
    if (!row && earlier == EarlierAttempt::kUnknown) return Transition();
    if (!row) return TopicNotFound(topic);
    MR_ASSIGN_OR_RETURN(const auto partitions, ScanRows(store_, PartitionKey{topic, PartitionId(0)},
                                                        PartitionKey{TopicId(topic.value() + 1), PartitionId(0)},
                                                        std::numeric_limits<std::size_t>::max()));
    // What other writers change meanwhile is not counted on a second time.
    TopicRemains remains;
    if (std::exchange(first, false)) {
      MR_ASSIGN_OR_RETURN(remains, removal.Look());
    }
    all = remains.all;
    return DeleteTopicRule(*row, partitions, remains, now_ms);
  }));
  // The topic is gone. What fails from here on is done later.
  if (!all) removal.Finish();
  return {};
}

Result<std::vector<TopicRow>> TopicCatalog::Topics() const {
  return ScanRows(store_, TopicKey{TopicId(std::numeric_limits<std::int64_t>::min())}, EndOfTable{},
                  std::numeric_limits<std::size_t>::max());
}

Result<std::vector<PartitionRow>> TopicCatalog::AllPartitions() const {
  return ScanRows(store_, PartitionKey{TopicId(std::numeric_limits<std::int64_t>::min()), PartitionId(0)}, EndOfTable{},
                  std::numeric_limits<std::size_t>::max());
}

Result<std::vector<PartitionRow>> TopicCatalog::Partitions(TopicId topic) const {
  MR_ASSIGN_OR_RETURN(auto row, FindRow(store_, TopicKey{topic}));
  for (;;) {
    if (!row) return TopicNotFound(topic);
    MR_ASSIGN_OR_RETURN(auto partitions, ScanRows(store_, PartitionKey{topic, PartitionId(0)},
                                                  PartitionKey{TopicId(topic.value() + 1), PartitionId(0)},
                                                  std::numeric_limits<std::size_t>::max()));
    if (partitions.size() == static_cast<std::size_t>(row->options.partitions)) return partitions;
    // Altered or deleted between the two reads, or damaged.
    MR_ASSIGN_OR_RETURN(auto now, FindRow(store_, TopicKey{topic}));
    if (now == row) {
      return Error(ErrorCode::kCorruption, fmt::format("metadata: topic {} has {} partition rows instead of {}",
                                                       topic.value(), partitions.size(), row->options.partitions));
    }
    row = std::move(now);
  }
}

}  // namespace millrace
