// RemoteLog: topics.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "base/try.h"
#include "client/offset_lookup.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "client/remote_log.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/topic_settings.h"
#include "text/units.h"

namespace millrace {

using client::ConnectionRef;
using client::Refusal;

namespace {

using kafka::MetadataResponse;

constexpr std::int8_t kTopicResource = 2;
constexpr std::uint64_t kBatchBytesDefault = (1 << 20) + 12;  // Kafka's max.message.bytes
constexpr std::uint64_t kRecordFraming = 256;                 // of one record alone in a batch, headers in reason

/// Its own words for the same setting.
std::string_view ProtocolKey(std::string_view key) { return key == "millrace.cleanup" ? "cleanup.policy" : key; }

AppendBounds BoundsOf(std::uint64_t batch_bytes_max) {
  return {.record_bytes_max = batch_bytes_max > 2 * kRecordFraming ? batch_bytes_max - kRecordFraming : kRecordFraming,
          .batch_bytes_max = batch_bytes_max};
}

LogTopic TopicOf(const MetadataResponse::Topic& told) {
  LogTopic topic;
  topic.detail = TopicDetail::kProtocol;
  topic.name = std::string(*told.name);
  if (told.topic_id != kafka::Uuid{}) topic.id = ToHex(told.topic_id.bytes);
  for (const MetadataResponse::Partition& one : told.partitions) {
    PartitionDescription& partition = topic.partitions.emplace_back();
    partition.partition = PartitionId(one.partition_index);
    const std::int16_t code =
        one.error_code == 0 && one.leader_id < 0 ? kafka::code::kLeaderNotAvailable : one.error_code;
    // Replicas that are missing concern no reader; a leader that is missing does.
    if (code != 0 && one.leader_id < 0)
      partition.broken = Refusal(code, PartitionName({topic.name, partition.partition}));
  }
  std::ranges::sort(topic.partitions, {}, &PartitionDescription::partition);
  topic.options.partitions = static_cast<std::int32_t>(topic.partitions.size());
  topic.bounds = BoundsOf(kBatchBytesDefault);
  return topic;
}

/// Those that Millrace knows are shown, in its order; what the server has beside them is its own.
void TakeSettings(const std::map<std::string_view, std::string_view>& told, LogTopic& topic) {
  for (const auto& [key, value] : TopicSettings({})) {
    const auto found = told.find(key);
    if (found == told.end()) continue;
    topic.settings.emplace_back(key, client::Printable(found->second));
    // A value that Millrace does not know is shown all the same.
    [[maybe_unused]] const auto known = ApplyTopicSetting(fmt::format("{}={}", key, found->second), topic.options);
  }
  if (told.contains("millrace.durability")) topic.durability = topic.options.durability;
  const auto batch = told.find("max.message.bytes");
  if (batch == told.end()) return;
  if (const auto bytes = ParseInteger(batch->second); bytes && *bytes > 0)
    topic.bounds = BoundsOf(static_cast<std::uint64_t>(*bytes));
}

/// A change that was sent may have been made, whatever became of its answer.
Error MayBeDone(const Error& error, std::string_view what) {
  return Error(error.code(), fmt::format("{}: {}; it may have been done all the same", what, error.message()),
               "See with `millrace topic ls` before trying again.")
      .WithRetryable(false);
}

/// Refusals after which the change was not made, and may be made a little later.
bool NotDoneYet(std::int16_t code) {
  return code == kafka::code::kNotController || code == kafka::code::kThrottlingQuotaExceeded;
}

/// One change at the controller. `outcome(answer)` gives the code and the words for it.
template <class Response, class Request, class Outcome>
Result<void> Change(client::Cluster& cluster, const Request& request, kafka::VersionRange versions,
                    const std::string& what, Outcome outcome) {
  return cluster.Retrying([&]() -> Result<void> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster.Controller());
    MR_TRY(node->template VersionOf<Request>(versions));
    auto answer =
        node->template Call<Response>(request, versions, cluster.Within(2 * cluster.options().answer_timeout));
    if (!answer) return MayBeDone(answer.error(), what);
    const std::pair<std::int16_t, std::string> told = outcome(answer->body);
    if (told.first == 0) return {};
    if (NotDoneYet(told.first)) cluster.ForgetController();
    const Error refused = Refusal(told.first, what, kafka::NullableText(std::string_view(told.second)));
    if (told.first == kafka::code::kRequestTimedOut) return MayBeDone(refused, what);
    return refused.WithRetryable(NotDoneYet(told.first));
  });
}

/// The outcome of the only topic that was asked about; an answer without it is the server's failure.
template <class Topics>
std::pair<std::int16_t, std::string> OutcomeOf(const Topics& topics) {
  if (topics.size() != 1) return {kafka::code::kUnknownServerError, "the answer says nothing of the topic"};
  return {topics.front().error_code, std::string(topics.front().error_message.value_or(""))};
}

std::int32_t Milliseconds(const client::Cluster& cluster) {
  return static_cast<std::int32_t>(cluster.options().answer_timeout.count());
}

}  // namespace

/// A partition whose offsets cannot be had tells why; the others are told of.
void RemoteLog::AddBounds(std::vector<LogTopic>& topics) {
  struct Group {
    std::vector<TopicPartition> names;
    std::vector<PartitionDescription*> partitions;
  };
  std::map<std::int32_t, Group> by_node;
  for (LogTopic& topic : topics) {
    for (PartitionDescription& partition : topic.partitions) {
      if (partition.broken) continue;
      TopicPartition name{topic.name, partition.partition};
      const auto leader = cluster_->LeaderOf(name);
      if (!leader) {
        partition.broken = leader.error();
        continue;
      }
      Group& group = by_node[*leader];
      group.names.push_back(std::move(name));
      group.partitions.push_back(&partition);
    }
  }
  for (auto& [id, group] : by_node) {
    for (const std::int64_t time : {client::kBeginTime, client::kEndTime}) {
      const auto offsets = cluster_->Retrying([&]() -> Result<std::vector<Result<Offset>>> {
        MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster_->Node(id));
        return client::LookUpOffsets(*cluster_, *node, group.names, time);
      });
      for (std::size_t i = 0; i < group.partitions.size(); ++i) {
        PartitionDescription& partition = *group.partitions[i];
        const Result<Offset> offset = offsets ? (*offsets)[i] : Result<Offset>(offsets.error());
        if (!offset) {
          partition.broken = offset.error();
        } else if (time == client::kBeginTime) {
          partition.offsets.log_start = *offset;
        } else {
          partition.offsets.log_end = std::max(*offset, partition.offsets.log_start);
        }
      }
    }
  }
}

/// A server that does not tell settings leaves the topics without them.
Result<void> RemoteLog::AddSettings(std::vector<LogTopic>& topics) {
  using kafka::DescribeConfigsRequest;
  using kafka::DescribeConfigsResponse;
  std::vector<DescribeConfigsRequest::Resource> resources;
  for (const LogTopic& topic : topics) {
    resources.push_back({.resource_type = kTopicResource, .resource_name = topic.name});
    resources.back().configuration_keys = std::nullopt;
  }
  DescribeConfigsRequest request;
  request.resources = resources;
  const auto told = cluster_->Retrying([&]() -> Result<client::Answer<DescribeConfigsResponse>> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster_->AnyNode());
    return node->Call<DescribeConfigsResponse>(request, {1, 4}, cluster_->AnswerTime());
  });
  if (!told && told.error().code() == ErrorCode::kUnsupported) return {};
  if (!told) return told.error();
  for (const DescribeConfigsResponse::Resource& resource : (*told)->results) {
    const auto topic = std::ranges::find(topics, resource.resource_name, &LogTopic::name);
    if (topic == topics.end() || resource.error_code != 0) continue;
    std::map<std::string_view, std::string_view> settings;
    for (const DescribeConfigsResponse::Config& config : resource.configs)
      if (config.value) settings[config.name] = *config.value;
    TakeSettings(settings, *topic);
  }
  return {};
}

Result<std::vector<LogTopic>> RemoteLog::Describe(std::optional<std::span<const std::string>> names) {
  auto metadata = cluster_->Retrying([&] { return cluster_->AskMetadata(names); });
  if (!metadata) return metadata.error();
  std::vector<LogTopic> topics;
  for (const MetadataResponse::Topic& topic : (*metadata)->topics) {
    if (!topic.name) continue;
    // A name that no topic can have is one that no topic has.
    const bool none = topic.error_code == kafka::code::kUnknownTopicOrPartition ||
                      topic.error_code == kafka::code::kInvalidTopicException;
    // In a list of all, a topic that this user may not see is left out.
    if (none || (topic.error_code != 0 && !names)) continue;
    if (topic.error_code != 0) return Refusal(topic.error_code, client::Printable(*topic.name));
    topics.push_back(TopicOf(topic));
  }
  std::ranges::sort(topics, {}, &LogTopic::name);
  if (topics.empty()) return topics;
  AddBounds(topics);
  MR_TRY(AddSettings(topics));
  return topics;
}

Result<std::vector<LogTopic>> RemoteLog::DescribeTopics() { return Describe(std::nullopt); }

Result<LogTopic> RemoteLog::DescribeTopic(std::string_view name) {
  const std::string asked(name);
  MR_ASSIGN_OR_RETURN(std::vector<LogTopic> topics, Describe(std::span(&asked, 1)));
  for (LogTopic& topic : topics)
    if (topic.name == name) return std::move(topic);
  return Error(ErrorCode::kNotFound, fmt::format("there is no topic {}", name));
}

Result<void> RemoteLog::CreateTopic(std::string_view name, const NewTopic& topic) {
  using kafka::CreateTopicsRequest;
  using kafka::CreateTopicsResponse;
  const auto settings = TopicSettings(topic.options);
  std::vector<CreateTopicsRequest::Config> configs;
  for (const std::string& given : topic.given) {
    const auto setting = std::ranges::find(settings, ProtocolKey(given), [](const auto& one) { return one.first; });
    if (setting != settings.end()) configs.push_back({.name = setting->first, .value = setting->second});
  }
  CreateTopicsRequest request;
  CreateTopicsRequest::Topic asked;
  asked.name = name;
  asked.num_partitions = topic.options.partitions;
  asked.replication_factor = -1;  // the server's own
  asked.configs = configs;
  request.topics = kafka::Array<CreateTopicsRequest::Topic>(&asked, 1);
  request.timeout_ms = Milliseconds(*cluster_);
  MR_TRY(Change<CreateTopicsResponse>(*cluster_, request, {4, 7}, fmt::format("cannot create topic {}", name),
                                      [](const CreateTopicsResponse& told) { return OutcomeOf(told.topics); }));
  // Servers of several nodes tell each other of it a moment later.
  const std::string made(name);
  return cluster_->Retrying([&]() -> Result<void> {
    for (std::int32_t i = 0; i < topic.options.partitions; ++i) {
      auto leader = cluster_->LeaderOf({made, PartitionId(i)});
      if (!leader)
        return leader.error().WithRetryable(leader.error().code() == ErrorCode::kNotFound ||
                                            leader.error().retryable());
    }
    return {};
  });
}

Result<void> RemoteLog::AddPartitions(const LogTopic& topic, std::int32_t more) {
  using kafka::CreatePartitionsRequest;
  using kafka::CreatePartitionsResponse;
  CreatePartitionsRequest::Topic asked;
  asked.name = topic.name;
  asked.count = topic.options.partitions + more;
  asked.assignments = std::nullopt;
  CreatePartitionsRequest request;
  request.topics = kafka::Array<CreatePartitionsRequest::Topic>(&asked, 1);
  request.timeout_ms = Milliseconds(*cluster_);
  return Change<CreatePartitionsResponse>(*cluster_, request, {0, 3},
                                          fmt::format("cannot add partitions to topic {}", topic.name),
                                          [](const CreatePartitionsResponse& told) { return OutcomeOf(told.results); });
}

Result<void> RemoteLog::DeleteTopic(std::string_view name) {
  using kafka::DeleteTopicsRequest;
  using kafka::DeleteTopicsResponse;
  DeleteTopicsRequest::Topic asked;
  asked.name = name;
  DeleteTopicsRequest request;
  request.topics = kafka::Array<DeleteTopicsRequest::Topic>(&asked, 1);  // from version 6 on
  request.topic_names = kafka::Array<kafka::Text>(&name, 1);             // and before
  request.timeout_ms = Milliseconds(*cluster_);
  return Change<DeleteTopicsResponse>(*cluster_, request, {1, 6}, fmt::format("cannot remove topic {}", name),
                                      [](const DeleteTopicsResponse& told) { return OutcomeOf(told.responses); });
}

}  // namespace millrace
