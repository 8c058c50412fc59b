#include "client/offset_lookup.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "kafka/messages/list_offsets.h"

namespace millrace::client {
namespace {

using kafka::ListOffsetsRequest;
using kafka::ListOffsetsResponse;

constexpr kafka::VersionRange kVersions{1, 10};

}  // namespace

Result<std::vector<Result<Offset>>> LookUpOffsets(Cluster& cluster, Connection& node,
                                                  std::span<const TopicPartition> partitions, std::int64_t time) {
  std::map<std::string_view, std::vector<ListOffsetsRequest::Partition>> by_topic;
  for (const TopicPartition& partition : partitions)
    by_topic[partition.topic].push_back({.partition_index = partition.partition.value(), .timestamp = time});
  std::vector<ListOffsetsRequest::Topic> topics;
  for (const auto& [name, asked] : by_topic) topics.push_back({.name = name, .partitions = asked});
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics = topics;
  request.timeout_ms = static_cast<std::int32_t>(cluster.options().answer_timeout.count());
  MR_ASSIGN_OR_RETURN(const auto answer, node.Call<ListOffsetsResponse>(request, kVersions, cluster.AnswerTime()));

  std::map<std::pair<std::string_view, std::int32_t>, const ListOffsetsResponse::Partition*> found;
  for (const ListOffsetsResponse::Topic& topic : answer->topics)
    for (const ListOffsetsResponse::Partition& one : topic.partitions) found[{topic.name, one.partition_index}] = &one;
  std::vector<Result<Offset>> offsets;
  for (const TopicPartition& partition : partitions) {
    const std::string name = PartitionName(partition);
    const auto one = found.find({partition.topic, partition.partition.value()});
    if (one == found.end()) {
      offsets.push_back(Error(ErrorCode::kCorruption, fmt::format("the server's answer says nothing of {}", name)));
    } else if (one->second->error_code != 0) {
      offsets.push_back(Refusal(one->second->error_code, name));
    } else {
      offsets.push_back(Offset(one->second->offset));
    }
  }
  MR_DCHECK(offsets.size() == partitions.size());
  return offsets;
}

}  // namespace millrace::client
