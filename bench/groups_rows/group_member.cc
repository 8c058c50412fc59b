#include "bench/groups_rows/group_member.h"

#include <fmt/core.h>

#include <utility>

#include "bench/harness/suite.h"
#include "bench/wire/message_frame.h"
#include "kafka/consumer_protocol.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/sync_group.h"

namespace millrace::bench {
namespace {

constexpr std::int16_t kJoinVersion = 9, kSyncVersion = 5, kHeartbeatVersion = 4, kCommitVersion = 9;
constexpr std::int16_t kMemberIdRequired = 79;
// As Kafka's consumer has them by default.
constexpr std::int32_t kSessionMs = 45'000, kRebalanceMs = 300'000;
constexpr const char* kProtocol = "range";
constexpr const char* kProtocolType = "consumer";

void RefuseCode(std::string_view what, std::int16_t code) {
  if (code != 0) Die(fmt::format("{} was refused with {}", what, code));
}

std::string PartOf(std::string_view topic, std::int32_t begin, std::int32_t end) {
  std::vector<TopicPartition> part;
  for (std::int32_t i = begin; i < end; ++i) part.push_back({std::string(topic), PartitionId(i)});
  return kafka::EncodeAssignment(part);
}

}  // namespace

GroupMember::GroupMember(std::uint16_t port, std::string group, std::string topic)
    : wire_(port), group_(std::move(group)), topic_(std::move(topic)) {
  wire_.Ask(ApiVersionsFrame());
}

std::string GroupMember::JoinFrame() const {
  const std::string subscription = kafka::EncodeSubscription({&topic_, 1});
  const kafka::JoinGroupRequest::Protocol one{.name = kProtocol, .metadata = AsBytes(subscription)};
  kafka::JoinGroupRequest request;
  request.group_id = group_;
  request.session_timeout_ms = kSessionMs;
  request.rebalance_timeout_ms = kRebalanceMs;
  request.member_id = id_;
  request.protocol_type = kProtocolType;
  request.protocols = {&one, 1};
  return FrameOf(request, kJoinVersion);
}

void GroupMember::TakeId() {
  kafka::Arena arena;
  const auto answer = Answered<kafka::JoinGroupResponse>(wire_.Ask(JoinFrame()), kJoinVersion, arena);
  if (answer.error_code != kMemberIdRequired) Die(fmt::format("no id was given, but {}", answer.error_code));
  id_ = std::string(answer.member_id);
}

void GroupMember::SendJoin() { wire_.Send(JoinFrame()); }

void GroupMember::ReceiveJoin() {
  kafka::Arena arena;
  const auto answer = Answered<kafka::JoinGroupResponse>(wire_.Receive(), kJoinVersion, arena);
  RefuseCode("a join", answer.error_code);
  generation_ = answer.generation_id;
  members_.clear();
  for (const auto& member : answer.members) members_.emplace_back(member.member_id);
}

void GroupMember::SendSync(std::int32_t partitions) {
  std::vector<std::string> parts;
  const auto count = static_cast<std::int32_t>(members_.size());
  for (std::int32_t i = 0; i < count; ++i)
    parts.push_back(PartOf(topic_, partitions * i / count, partitions * (i + 1) / count));
  std::vector<kafka::SyncGroupRequest::Assignment> assignments;
  for (std::size_t i = 0; i < parts.size(); ++i)
    assignments.push_back({.member_id = members_[i], .assignment = AsBytes(parts[i])});
  kafka::SyncGroupRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = id_;
  request.protocol_type = kProtocolType;
  request.protocol_name = kProtocol;
  request.assignments = assignments;
  wire_.Send(FrameOf(request, kSyncVersion));
}

void GroupMember::ReceiveSync() {
  kafka::Arena arena;
  const auto answer = Answered<kafka::SyncGroupResponse>(wire_.Receive(), kSyncVersion, arena);
  RefuseCode("a sync", answer.error_code);
  auto assigned = kafka::ReadAssignment(AsText(answer.assignment));
  if (!assigned) Die("an assignment cannot be read");
  assigned_ = *std::move(assigned);
  kafka::HeartbeatRequest heartbeat;
  heartbeat.group_id = group_;
  heartbeat.generation_id = generation_;
  heartbeat.member_id = id_;
  heartbeat_ = FrameOf(heartbeat, kHeartbeatVersion);
}

void GroupMember::SendHeartbeat() { wire_.Send(heartbeat_); }

void GroupMember::ReceiveHeartbeat() {
  kafka::Arena arena;
  const auto answer = Answered<kafka::HeartbeatResponse>(wire_.Receive(), kHeartbeatVersion, arena);
  RefuseCode("a heartbeat", answer.error_code);
}

void GroupMember::SendCommit(std::int32_t partition, std::int64_t offset) {
  const kafka::OffsetCommitRequest::Partition part{.partition_index = partition, .committed_offset = offset};
  const kafka::OffsetCommitRequest::Topic one{.name = topic_, .partitions = {&part, 1}};
  kafka::OffsetCommitRequest request;
  request.group_id = group_;
  request.generation_id_or_member_epoch = generation_;
  request.member_id = id_;
  request.topics = {&one, 1};
  wire_.Send(FrameOf(request, kCommitVersion));
}

void GroupMember::ReceiveCommit() {
  kafka::Arena arena;
  const auto answer = Answered<kafka::OffsetCommitResponse>(wire_.Receive(), kCommitVersion, arena);
  if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1) Die("a commit was answered for others");
  RefuseCode("a commit", answer.topics[0].partitions[0].error_code);
}

}  // namespace millrace::bench
