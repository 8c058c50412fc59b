// RemoteLog: groups, asked of the node that looks after each.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "client/group_member.h"
#include "client/group_positions.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "client/remote_log.h"
#include "client/wide_gaps.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/offset_commit.h"

namespace millrace {

using client::ConnectionRef;
using client::OffsetsInWideGaps;
using client::Refusal;

namespace {

Error GroupNotFound(std::string_view group) {
  return {ErrorCode::kNotFound, fmt::format("there is no group {}", group)};
}

Error HasMembers(std::string_view group) {
  return Error(ErrorCode::kUnavailable, fmt::format("group {} has members", group), "Stop its consumers first.")
      .WithRetryable(false);
}

Error NotOneAnswer(std::string_view what) {
  return {ErrorCode::kCorruption, fmt::format("{}: the server's answer says nothing of it", what)};
}

}  // namespace

Result<ConnectionRef> RemoteLog::Coordinator(std::string_view group) {
  return client::FindCoordinator(*cluster_, group);
}

Result<std::vector<std::string>> RemoteLog::ListGroups() {
  using kafka::ListGroupsRequest;
  using kafka::ListGroupsResponse;
  return cluster_->Retrying([&]() -> Result<std::vector<std::string>> {
    MR_TRY(cluster_->AskMetadata(std::span<const std::string>()));
    std::set<std::string> groups;
    for (const std::int32_t id : cluster_->NodeIds()) {  // each has groups of its own
      MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster_->Node(id));
      MR_ASSIGN_OR_RETURN(const auto answer,
                          node->Call<ListGroupsResponse>(ListGroupsRequest{}, {0, 5}, cluster_->AnswerTime()));
      if (answer->error_code != 0) return Refusal(answer->error_code, "cannot list the groups");
      for (const ListGroupsResponse::Group& group : answer->groups) groups.emplace(group.group_id);
    }
    return std::vector<std::string>(groups.begin(), groups.end());
  });
}

Result<std::map<TopicPartition, Offset>> RemoteLog::PositionsOf(std::string_view group) {
  return cluster_->Retrying([&]() -> Result<std::map<TopicPartition, Offset>> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, Coordinator(group));
    return client::FetchPositions(*cluster_, *node, group);
  });
}

/// As Engine::DescribeGroup: in a topic that the group reads, a partition without a position counts from its beginning.
Result<std::vector<GroupPosition>> RemoteLog::DescribeGroup(std::string_view group) {
  MR_ASSIGN_OR_RETURN(const auto stored, PositionsOf(group));
  if (stored.empty()) return GroupNotFound(group);
  std::set<std::string> read;
  for (const auto& [partition, position] : stored) read.insert(partition.topic);
  const std::vector<std::string> names(read.begin(), read.end());
  MR_ASSIGN_OR_RETURN(std::vector<LogTopic> topics, Describe(std::span<const std::string>(names)));
  AddBounds(topics);
  std::vector<GroupPosition> positions;
  for (const LogTopic& topic : topics) {
    for (const PartitionDescription& partition : topic.partitions) {
      const TopicPartition name{topic.name, partition.partition};
      const auto found = stored.find(name);
      if (partition.broken) {
        if (found != stored.end()) return *partition.broken;
        continue;
      }
      const PartitionOffsets& offsets = partition.offsets;
      if (found == stored.end() && offsets.log_end == offsets.log_start) continue;
      const Offset position = found == stored.end() ? offsets.log_start : found->second;
      const Offset from = std::max(position, offsets.log_start);
      MR_ASSIGN_OR_RETURN(
          const std::int64_t lost, OffsetsInWideGaps(from, offsets.log_end, [&](Offset at) -> Result<Offset> {
            MR_ASSIGN_OR_RETURN(const ReadResult read, Read(name, at, {.bytes_max = 1, .records_max = 1}));
            return read.records.empty() ? offsets.log_end : read.records.front().offset;
          }));
      const std::int64_t lag = offsets.log_end - from - lost;
      positions.push_back({name, position, static_cast<std::uint64_t>(std::max<std::int64_t>(lag, 0))});
    }
  }
  std::ranges::sort(positions, {}, &GroupPosition::partition);
  return positions;
}

Result<GroupMembership> RemoteLog::DescribeGroupMembers(std::string_view group) {
  using kafka::DescribeGroupsRequest;
  using kafka::DescribeGroupsResponse;
  DescribeGroupsRequest request;
  request.groups = kafka::Array<kafka::Text>(&group, 1);
  return cluster_->Retrying([&]() -> Result<GroupMembership> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, Coordinator(group));
    // The last version tells a group that is not there as an error.
    MR_ASSIGN_OR_RETURN(const auto answer, node->Call<DescribeGroupsResponse>(request, {0, 5}, cluster_->AnswerTime()));
    const std::string what = fmt::format("cannot describe the members of group {}", group);
    if (answer->groups.size() != 1) return NotOneAnswer(what);
    const DescribeGroupsResponse::Group& told = answer->groups[0];
    if (told.error_code != 0) return Refusal(told.error_code, what);
    GroupMembership membership{.state = std::string(told.group_state),
                               .protocol_type = std::string(told.protocol_type),
                               .protocol = std::string(told.protocol_data),
                               .members = {}};
    for (const DescribeGroupsResponse::Member& member : told.members) {
      membership.members.push_back({.member = std::string(member.member_id),
                                    .instance = std::string(member.group_instance_id.value_or("")),
                                    .client_id = std::string(member.client_id),
                                    .client_host = std::string(member.client_host),
                                    .assignment = std::string(AsText(member.member_assignment))});
    }
    return membership;
  });
}

Result<void> RemoteLog::SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) {
  using kafka::OffsetCommitRequest;
  using kafka::OffsetCommitResponse;
  OffsetCommitRequest::Partition one;
  one.partition_index = partition.partition.value();
  one.committed_offset = position.value();
  const OffsetCommitRequest::Topic topic{.name = partition.topic, .partitions = {&one, 1}};
  OffsetCommitRequest request;
  request.group_id = group;
  request.topics = {&topic, 1};
  // The same position twice is the same: what may have been done is done again.
  return cluster_->Retrying([&]() -> Result<void> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, Coordinator(group));
    MR_ASSIGN_OR_RETURN(const auto answer, node->Call<OffsetCommitResponse>(request, {2, 9}, cluster_->AnswerTime()));
    const std::string what = fmt::format("cannot move group {} in {}", group, PartitionName(partition));
    if (answer->topics.size() != 1 || answer->topics[0].partitions.size() != 1) return NotOneAnswer(what);
    const std::int16_t code = answer->topics[0].partitions[0].error_code;
    if (code == kafka::code::kUnknownMemberId || code == kafka::code::kRebalanceInProgress) return HasMembers(group);
    if (code != 0) return Refusal(code, what);
    return {};
  });
}

Result<void> RemoteLog::DeleteGroup(std::string_view group) {
  using kafka::DeleteGroupsRequest;
  using kafka::DeleteGroupsResponse;
  DeleteGroupsRequest request;
  request.groups_names = kafka::Array<kafka::Text>(&group, 1);
  bool sent = false;  // an earlier time, whose answer did not come
  return cluster_->Retrying([&]() -> Result<void> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, Coordinator(group));
    const bool again = std::exchange(sent, true);
    MR_ASSIGN_OR_RETURN(const auto answer, node->Call<DeleteGroupsResponse>(request, {0, 2}, cluster_->AnswerTime()));
    const std::string what = fmt::format("cannot remove group {}", group);
    if (answer->results.size() != 1) return NotOneAnswer(what);
    const std::int16_t code = answer->results[0].error_code;
    if (code == kafka::code::kNonEmptyGroup) return HasMembers(group);
    if (code == kafka::code::kGroupIdNotFound) return again ? Result<void>() : GroupNotFound(group);
    if (code != 0) return Refusal(code, what);
    return {};
  });
}

Result<std::unique_ptr<LogMember>> RemoteLog::OpenMember(std::string_view group,
                                                         const std::vector<std::string>& topics) {
  MR_ASSIGN_OR_RETURN(auto member, client::GroupMember::Open(cluster_->options(), std::string(group), topics));
  return std::unique_ptr<LogMember>(std::move(member));
}

}  // namespace millrace
