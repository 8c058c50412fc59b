#include "server/kafka/topic_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "kafka/topic_settings.h"
#include "server/kafka/fixed_settings.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/topic_names.h"

namespace millrace {
namespace {

TopicOutcome ReadPartitions(const kafka::CreateTopicsRequest::Topic& asked, TopicOptions& options) {
  if (asked.assignments.empty()) {
    if (asked.num_partitions != -1) options.partitions = asked.num_partitions;
    if (options.partitions < 1 || options.partitions > kPartitionsMax) {
      return {reply_code::kInvalidPartitions,
              fmt::format("a topic has 1 to {} partitions, not {}", kPartitionsMax, asked.num_partitions)};
    }
    // Any number is taken, and the owner is reported: copies are the object store's.
    if (asked.replication_factor == -1 || asked.replication_factor >= 1) return {};
    return {reply_code::kInvalidReplicationFactor, "the replication factor is below 1"};
  }
  if (asked.num_partitions != -1 || asked.replication_factor != -1)
    return {reply_code::kInvalidRequest, "replicas are assigned by hand and counted both"};
  std::set<std::int32_t> indexes;
  for (const auto& assignment : asked.assignments) indexes.insert(assignment.partition_index);
  const auto count = static_cast<std::int32_t>(asked.assignments.size());
  if (count > kPartitionsMax || std::cmp_not_equal(indexes.size(), count) || *indexes.begin() != 0 ||
      *indexes.rbegin() != count - 1)
    return {reply_code::kInvalidReplicaAssignment, "partitions are to be assigned once each, from 0 on"};
  options.partitions = count;
  return {};
}

}  // namespace

TopicOutcome TopicOutcome::Of(const Error& error) {
  std::string message(error.message());
  if (!error.hint().empty()) message.append(". ").append(error.hint());
  return {reply_code::OfTopicError(error), std::move(message)};
}

TopicOutcome ReadTopicOptions(const kafka::CreateTopicsRequest::Topic& asked, const BrokerSettings& broker,
                              TopicOptions& options) {
  if (!IsTopicName(asked.name)) {
    return {reply_code::kInvalidTopic,
            "a name is 1 to 249 of letters, digits, '.', '_' and '-', and not '.' or '..' itself"};
  }
  if (TopicOutcome outcome = ReadPartitions(asked, options); !outcome.ok()) return outcome;
  for (const auto& config : asked.configs) {
    if (!config.value) return {reply_code::kInvalidConfig, fmt::format("{} has no value", config.name)};
    if (auto wrong = CheckFixedSetting(broker, config.name, *config.value)) {
      if (wrong->empty()) continue;
      return {reply_code::kInvalidConfig, *std::move(wrong)};
    }
    const auto set = ApplyTopicSetting(fmt::format("{}={}", config.name, *config.value), options);
    if (!set) return TopicOutcome::Of(set.error());
  }
  if (options.cleanup == Cleanup::kCompact)
    return {reply_code::kInvalidConfig, "cleanup.policy: nothing is compacted here yet. Use delete."};
  return {};
}

}  // namespace millrace
