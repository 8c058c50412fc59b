#include "client/group_member.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/try.h"
#include "client/assignors.h"
#include "client/group_positions.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "kafka/consumer_protocol.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/sync_group.h"
#include "millrace/request_scope.h"

namespace millrace::client {
namespace {

using kafka::JoinGroupRequest;
using kafka::JoinGroupResponse;

constexpr kafka::VersionRange kJoinVersions{1, 9}, kSyncVersions{0, 5}, kCommitVersions{2, 9}, kLeaveVersions{0, 5};
constexpr std::string_view kProtocolType = "consumer";

bool HasLostTheMember(std::int16_t code) {
  using namespace kafka::code;
  return code == kIllegalGeneration || code == kUnknownMemberId || code == kFencedInstanceId;
}

bool HasMoved(std::int16_t code) {
  using namespace kafka::code;
  return code == kNotCoordinator || code == kCoordinatorNotAvailable || code == kCoordinatorLoadInProgress;
}

}  // namespace

Result<std::unique_ptr<GroupMember>> GroupMember::Open(const ClusterOptions& options, std::string group,
                                                       std::vector<std::string> topics, const MemberTimes& times) {
  std::unique_ptr<GroupMember> member(new GroupMember(std::move(group), std::move(topics), times));
  MR_ASSIGN_OR_RETURN(member->stop_, Alarm::Make());
  MR_ASSIGN_OR_RETURN(member->calm_, Alarm::Make());
  MR_ASSIGN_OR_RETURN(member->heartbeats_, Heartbeats::Make(times.heartbeat));
  MR_ASSIGN_OR_RETURN(member->cluster_, Cluster::Open(options, *member->calm_));
  member->stop_->RingAt(RequestScope::Current().stop);
  return member;
}

bool GroupMember::Stopped() const {
  pollfd entry{stop_->descriptor(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

template <class Attempt>
auto GroupMember::Retrying(Attempt attempt) -> decltype(attempt()) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const ClusterOptions& options = cluster_->options();
  const SteadyTime begun = now();
  for (std::chrono::milliseconds pause = options.pause_first;; pause = std::min(2 * pause, options.pause_most)) {
    auto result = attempt();
    if (result || !result.error().retryable()) return result;
    const bool stopped = Stopped();
    if (now() + pause >= begun + (stopped ? times_.leave : options.retry_for)) return result;
    (void)SleepUntil({now() + pause, stopped ? *calm_ : *stop_});
  }
}

Result<ConnectionRef> GroupMember::Coordinator() {
  if (coordinator_ != nullptr && !coordinator_->HasEnded()) return coordinator_;
  MR_ASSIGN_OR_RETURN(coordinator_, FindCoordinator(*cluster_, membership_.group));
  return coordinator_;
}

Error GroupMember::Refused(std::int16_t code, std::string_view what) {
  if (HasMoved(code)) coordinator_.reset();
  if (HasLostTheMember(code)) {
    lost_ = must_join_ = true;
    membership_.generation = -1;
    if (code != kafka::code::kIllegalGeneration) membership_.member.clear();
  }
  return Refusal(code, what);
}

bool GroupMember::MustJoin() const { return must_join_ || heartbeats_->verdict() != Heartbeats::Verdict::kStands; }

Result<LogMember::Share> GroupMember::Join() {
  if (heartbeats_->verdict() == Heartbeats::Verdict::kLost) lost_ = true;
  heartbeats_->Stop();
  must_join_ = true;
  while (true) {
    if (Stopped()) return Error(ErrorCode::kClosed, "stopped before the group had shared its partitions out");
    MR_ASSIGN_OR_RETURN(std::optional<Share> share, Retrying([this] { return JoinOnce(); }));
    if (share) return *std::move(share);
  }
}

Result<std::optional<LogMember::Share>> GroupMember::JoinOnce() {
  MR_ASSIGN_OR_RETURN(const ConnectionRef coordinator, Coordinator());
  MR_ASSIGN_OR_RETURN(const Joined joined, SendJoin(*coordinator));
  const std::string what = fmt::format("cannot join group {}", membership_.group);
  const std::int16_t code = joined->error_code;
  if (code == kafka::code::kMemberIdRequired) {
    membership_.member = joined->member_id;
    return std::optional<Share>();
  }
  if (HasLostTheMember(code)) {
    (void)Refused(code, what);
    return std::optional<Share>();
  }
  if (code == kafka::code::kInconsistentGroupProtocol) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: its members share its partitions out in another way than {} or {}", what, kRange, kRoundRobin),
        "Set one of these as the assignor of the other clients, or take another group.");
  }
  if (code != 0) return Refused(code, what);
  membership_.member = joined->member_id;
  membership_.generation = joined->generation_id;
  MR_ASSIGN_OR_RETURN(const auto partitions, Sync(*coordinator, joined.body));
  if (!partitions) return std::optional<Share>();
  // While positions are asked for, too: a server that is slow at it is no reason to be put out.
  heartbeats_->Start(coordinator->address(), membership_);
  MR_ASSIGN_OR_RETURN(std::vector<Place> places, Positions(*coordinator, *partitions));
  must_join_ = false;
  // In a generation between the last one it had a part in and this one, others may have read its partitions.
  const bool next = joined->generation_id == shared_ + 1;
  shared_ = joined->generation_id;
  return std::optional(Share{.places = std::move(places), .goes_on = !std::exchange(lost_, false) && next});
}

Result<GroupMember::Joined> GroupMember::SendJoin(Connection& coordinator) {
  const std::string subscription = kafka::EncodeSubscription(topics_);
  const std::array<JoinGroupRequest::Protocol, 2> protocols{
      JoinGroupRequest::Protocol{.name = kRange, .metadata = AsBytes(subscription)},
      JoinGroupRequest::Protocol{.name = kRoundRobin, .metadata = AsBytes(subscription)}};
  JoinGroupRequest request;
  request.group_id = membership_.group;
  request.session_timeout_ms = static_cast<std::int32_t>(times_.session.count());
  request.rebalance_timeout_ms = static_cast<std::int32_t>(times_.rebalance.count());
  request.member_id = membership_.member;
  request.protocol_type = kProtocolType;
  request.protocols = protocols;
  // Answered when all have joined, at the latest after the longest of the members' times.
  const Until until{std::chrono::steady_clock::now() + std::chrono::minutes(30), *stop_};
  return coordinator.Call<JoinGroupResponse>(request, kJoinVersions, until);
}

Result<std::map<std::string, std::string>> GroupMember::ShareOut(const JoinGroupResponse& joined) {
  std::vector<Subscriber> subscribers;
  std::set<std::string> read;
  for (const JoinGroupResponse::Member& member : joined.members) {
    Subscriber& one = subscribers.emplace_back(Subscriber{.id = std::string(member.member_id), .topics = {}});
    auto topics = kafka::ReadSubscription(AsText(member.metadata));
    // Whoever cannot be understood gets nothing; the others are not to suffer from it.
    if (topics) one.topics = *std::move(topics);
    read.insert(one.topics.begin(), one.topics.end());
  }
  const std::vector<std::string> names(read.begin(), read.end());
  MR_ASSIGN_OR_RETURN(const Cluster::Metadata metadata, cluster_->AskMetadata(std::span(names)));
  PartitionCounts counts;
  for (const auto& topic : metadata->topics)
    if (topic.error_code == 0 && topic.name)
      counts[std::string(*topic.name)] = static_cast<std::int32_t>(topic.partitions.size());
  const bool in_turn = joined.protocol_name.value_or("") == kRoundRobin;
  std::map<std::string, std::string> encoded;
  for (const auto& [id, partitions] :
       in_turn ? AssignRoundRobin(subscribers, counts) : AssignRange(subscribers, counts))
    encoded[id] = kafka::EncodeAssignment(partitions);
  return encoded;
}

Result<std::optional<std::vector<TopicPartition>>> GroupMember::Sync(Connection& coordinator,
                                                                     const JoinGroupResponse& joined) {
  kafka::SyncGroupRequest request;
  request.group_id = membership_.group;
  request.generation_id = membership_.generation;
  request.member_id = membership_.member;
  request.protocol_type = kProtocolType;
  request.protocol_name = joined.protocol_name;
  std::map<std::string, std::string> shares;
  std::vector<kafka::SyncGroupRequest::Assignment> assignments;
  if (joined.leader == joined.member_id && !joined.skip_assignment) {
    MR_ASSIGN_OR_RETURN(shares, ShareOut(joined));
    for (const auto& [id, bytes] : shares) assignments.push_back({.member_id = id, .assignment = AsBytes(bytes)});
  }
  request.assignments = assignments;
  const Until until{std::chrono::steady_clock::now() + times_.rebalance + cluster_->options().answer_timeout, *stop_};
  MR_ASSIGN_OR_RETURN(const auto answer, coordinator.Call<kafka::SyncGroupResponse>(request, kSyncVersions, until));
  const std::string what = fmt::format("no part of group {}", membership_.group);
  const std::int16_t code = answer->error_code;
  if (code == kafka::code::kRebalanceInProgress || HasLostTheMember(code)) {
    (void)Refused(code, what);
    return std::optional<std::vector<TopicPartition>>();
  }
  if (code != 0) return Refused(code, what);
  auto partitions = kafka::ReadAssignment(AsText(answer->assignment));
  if (partitions) return std::optional(*std::move(partitions));
  return Error(ErrorCode::kCorruption, fmt::format("{}: what its leader assigned cannot be read", what));
}

Result<std::vector<LogMember::Place>> GroupMember::Positions(Connection& coordinator,
                                                             const std::vector<TopicPartition>& partitions) {
  MR_ASSIGN_OR_RETURN(const auto positions, FetchPositions(*cluster_, coordinator, membership_.group));
  std::vector<Place> places;
  for (const TopicPartition& partition : partitions) {
    Place& place = places.emplace_back(Place{.partition = partition, .position = {}});
    if (const auto found = positions.find(partition); found != positions.end()) place.position = found->second;
  }
  std::ranges::sort(places, {}, &Place::partition);
  return places;
}

Result<void> GroupMember::Commit(const TopicPartition& partition, Offset position) {
  using kafka::OffsetCommitRequest;
  OffsetCommitRequest::Partition one;
  one.partition_index = partition.partition.value();
  one.committed_offset = position.value();
  const OffsetCommitRequest::Topic topic{.name = partition.topic, .partitions = {&one, 1}};
  OffsetCommitRequest request;
  request.group_id = membership_.group;
  request.generation_id_or_member_epoch = membership_.generation;
  request.member_id = membership_.member;
  request.topics = {&topic, 1};
  const std::string what = fmt::format("cannot commit {} for group {}", PartitionName(partition), membership_.group);
  const Error gone(ErrorCode::kFenced, fmt::format("{}: the group has gone on without this member", what));
  if (membership_.member.empty() || membership_.generation < 0) return gone;
  return Retrying([&]() -> Result<void> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef coordinator, Coordinator());
    MR_ASSIGN_OR_RETURN(const auto answer, coordinator->Call<kafka::OffsetCommitResponse>(request, kCommitVersions,
                                                                                          cluster_->AnswerTime()));
    if (answer->topics.size() != 1 || answer->topics[0].partitions.size() != 1)
      return Error(ErrorCode::kCorruption, fmt::format("{}: the server's answer says nothing of it", what));
    const std::int16_t code = answer->topics[0].partitions[0].error_code;
    if (code == 0) return {};
    const Error refused = Refused(code, what);
    if (code == kafka::code::kRebalanceInProgress) lost_ = must_join_ = true;
    return lost_ ? gone : refused;
  });
}

Result<void> GroupMember::Leave() {
  heartbeats_->Stop();
  const std::string member = std::exchange(membership_.member, {});
  if (member.empty()) return {};
  kafka::LeaveGroupRequest request;
  const kafka::LeaveGroupRequest::Member one{.member_id = member};
  request.group_id = membership_.group;
  request.member_id = member;
  request.members = {&one, 1};
  MR_ASSIGN_OR_RETURN(const ConnectionRef coordinator, Coordinator());
  // Whatever is answered: it is not in the group any more, or its session ends.
  MR_TRY(coordinator->Call<kafka::LeaveGroupResponse>(request, kLeaveVersions, cluster_->Within(times_.leave)));
  return {};
}

}  // namespace millrace::client
