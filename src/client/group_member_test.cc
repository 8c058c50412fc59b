// Goal: a member joins as Kafka's classic protocol has it, shares out when it leads, hears that it must join again, and
// knows when its commits do not count any more. Method: a broker on a socket that answers as each test says.
#include "client/group_member.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "client/fake_broker.h"
#include "kafka/consumer_protocol.h"
#include "kafka/error_codes.h"
#include "kafka/messages/all_messages.h"
#include "kafka/messages/api_keys.h"
#include "millrace/request_scope.h"

namespace millrace::client {
namespace {

using Reply = FakeBroker::Reply;
using Request = FakeBroker::Request;
using kafka::ApiKey;

constexpr std::int16_t Key(ApiKey key) { return static_cast<std::int16_t>(key); }
const TopicPartition kFirst{"t", PartitionId(0)}, kSecond{"t", PartitionId(1)};

class GroupMemberTest : public testing::Test {
 protected:
  GroupMemberTest() {
    broker_.On(Key(ApiKey::kFindCoordinator), [this](const Request& request) {
      kafka::FindCoordinatorResponse response;
      response.node_id = 1;
      response.host = "127.0.0.1";
      response.port = broker_.address().port;
      return FakeBroker::Answer(request, response);
    });
    // The first join gets an id and the group to itself, or with whom `others_` names.
    broker_.On(Key(ApiKey::kJoinGroup), [this](const Request& request) { return Join(request); });
    broker_.On(Key(ApiKey::kSyncGroup), [this](const Request& request) { return Sync(request); });
    AnswerCode<kafka::HeartbeatResponse>(ApiKey::kHeartbeat, heartbeat_);
    AnswerCode<kafka::LeaveGroupResponse>(ApiKey::kLeaveGroup, leave_);
    broker_.On(Key(ApiKey::kOffsetFetch), [](const Request& request) {
      const kafka::OffsetFetchResponse::Partition partition{.partition_index = 1, .committed_offset = 5};
      const kafka::OffsetFetchResponse::Topic topic{.name = "t", .partitions = {&partition, 1}};
      kafka::OffsetFetchResponse response;
      response.topics = {&topic, 1};
      return FakeBroker::Answer(request, response);
    });
    broker_.On(Key(ApiKey::kOffsetCommit), [this](const Request& request) {
      const kafka::OffsetCommitResponse::Partition partition{.error_code = commit_};
      const kafka::OffsetCommitResponse::Topic topic{.name = "t", .partitions = {&partition, 1}};
      kafka::OffsetCommitResponse response;
      response.topics = {&topic, 1};
      return FakeBroker::Answer(request, response);
    });
  }

  std::unique_ptr<GroupMember> Open() {
    auto member = GroupMember::Open({.address = broker_.address(),
                                     .retry_for = std::chrono::seconds(20),
                                     .pause_first = std::chrono::milliseconds(1),
                                     .pause_most = std::chrono::milliseconds(20)},
                                    "g", {"t"}, {.heartbeat = std::chrono::milliseconds(2)});
    EXPECT_TRUE(member) << member.error().ToString();
    return *std::move(member);
  }

  template <class Response>
  void AnswerCode(ApiKey key, const std::atomic<std::int16_t>& code) {
    broker_.On(Key(key), [&code](const Request& request) {
      Response response;
      response.error_code = code;
      return FakeBroker::Answer(request, response);
    });
  }

  Reply Join(const Request& request) {
    kafka::Arena arena;
    const auto body = FakeBroker::Read<kafka::JoinGroupRequest>(request, arena);
    kafka::JoinGroupResponse response;
    response.member_id = "m";
    if (body.member_id.empty()) {
      response.error_code = kafka::code::kMemberIdRequired;
      return FakeBroker::Answer(request, response);
    }
    EXPECT_EQ(body.member_id, "m");
    EXPECT_EQ(body.protocol_type, "consumer");
    EXPECT_EQ(kafka::ReadSubscription(AsText(body.protocols.front().metadata)), std::vector<std::string>{"t"});
    response.error_code = join_.exchange(0);
    response.generation_id = ++generation_;
    response.protocol_type = "consumer";
    response.protocol_name = "range";
    response.leader = "m";
    const std::string subscription = kafka::EncodeSubscription(std::vector<std::string>{"t"});
    std::vector<kafka::JoinGroupResponse::Member> members{{.member_id = "m", .metadata = AsBytes(subscription)}};
    for (const std::string& other : others_) members.push_back({.member_id = other, .metadata = AsBytes(subscription)});
    response.members = members;
    return FakeBroker::Answer(request, response);
  }

  Reply Sync(const Request& request) {
    kafka::Arena arena;
    const auto body = FakeBroker::Read<kafka::SyncGroupRequest>(request, arena);
    EXPECT_EQ(body.generation_id, generation_);
    kafka::SyncGroupResponse response;
    response.error_code = sync_.exchange(0);
    std::string own;
    for (const auto& assignment : body.assignments) {
      assigned_[std::string(assignment.member_id)] = kafka::ReadAssignment(AsText(assignment.assignment)).value();
      if (assignment.member_id == "m") own = AsText(assignment.assignment);
    }
    response.assignment = AsBytes(own);
    return FakeBroker::Answer(request, response);
  }

  std::atomic<std::int16_t> join_ = 0, sync_ = 0, heartbeat_ = 0, leave_ = 0, commit_ = 0;  // what is answered
  std::atomic<std::int32_t> generation_ = 0;
  std::vector<std::string> others_;
  std::map<std::string, std::vector<TopicPartition>> assigned_;  // by the leader
  FakeBroker broker_;                                            // last: its threads use the others
};

TEST_F(GroupMemberTest, AMemberAloneHasAllAndBeginsWhereTheGroupIs) {
  const auto member = Open();
  EXPECT_TRUE(member->MustJoin());
  const auto share = member->Join();
  ASSERT_TRUE(share) << share.error().ToString();
  ASSERT_EQ(share->places.size(), 2U);
  EXPECT_EQ(share->places[0].partition, kFirst);
  EXPECT_FALSE(share->places[0].position);
  EXPECT_EQ(share->places[1].partition, kSecond);
  EXPECT_EQ(share->places[1].position, Offset(5));
  EXPECT_FALSE(member->MustJoin());
  EXPECT_TRUE(member->Commit(kFirst, Offset(3)));
  EXPECT_TRUE(member->Leave());
  EXPECT_EQ(broker_.times(Key(ApiKey::kLeaveGroup)), 1);
}

TEST_F(GroupMemberTest, TheLeaderSharesOut) {
  others_ = {"z"};
  const auto member = Open();
  const auto share = member->Join();
  ASSERT_TRUE(share) << share.error().ToString();
  EXPECT_EQ(assigned_["m"], std::vector<TopicPartition>{kFirst});
  EXPECT_EQ(assigned_["z"], std::vector<TopicPartition>{kSecond});
  EXPECT_EQ(share->places.size(), 1U);
}

TEST_F(GroupMemberTest, ARebalanceIsHeardAndWhatItHasGoesOn) {
  const auto member = Open();
  ASSERT_TRUE(member->Join());
  heartbeat_ = kafka::code::kRebalanceInProgress;
  while (!member->MustJoin()) std::this_thread::yield();
  EXPECT_TRUE(member->Commit(kFirst, Offset(3))) << "commits are taken while the group prepares";
  heartbeat_ = 0;
  const auto share = member->Join();
  ASSERT_TRUE(share);
  EXPECT_TRUE(share->goes_on);
  EXPECT_FALSE(member->MustJoin());
  EXPECT_EQ(generation_, 2);
}

TEST_F(GroupMemberTest, AGenerationThatItHadNoPartInMayHaveReadOn) {
  const auto member = Open();
  ASSERT_TRUE(member->Join());
  sync_ = kafka::code::kRebalanceInProgress;
  const auto share = member->Join();
  ASSERT_TRUE(share);
  EXPECT_EQ(generation_, 3);
  EXPECT_FALSE(share->goes_on);
}

TEST_F(GroupMemberTest, WhoIsOutOfTheGroupBeginsAnew) {
  for (const std::int16_t code : {kafka::code::kUnknownMemberId, kafka::code::kIllegalGeneration}) {
    SCOPED_TRACE(code);
    const auto member = Open();
    ASSERT_TRUE(member->Join());
    heartbeat_ = code;
    while (!member->MustJoin()) std::this_thread::yield();
    heartbeat_ = 0;
    const auto share = member->Join();
    ASSERT_TRUE(share);
    EXPECT_FALSE(share->goes_on) << "others may have read on";
  }
}

TEST_F(GroupMemberTest, ACommitOfALostGenerationIsFenced) {
  for (const std::int16_t code :
       {kafka::code::kUnknownMemberId, kafka::code::kIllegalGeneration, kafka::code::kRebalanceInProgress}) {
    SCOPED_TRACE(code);
    const auto member = Open();
    ASSERT_TRUE(member->Join());
    commit_ = code;
    const auto committed = member->Commit(kFirst, Offset(3));
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code(), ErrorCode::kFenced);
    EXPECT_TRUE(member->MustJoin());
    commit_ = 0;
    const auto share = member->Join();
    ASSERT_TRUE(share);
    EXPECT_FALSE(share->goes_on);
    EXPECT_TRUE(member->Commit(kFirst, Offset(3)));
  }
}

TEST_F(GroupMemberTest, WhatMaySucceedLaterIsTriedAgain) {
  const auto member = Open();
  join_ = kafka::code::kCoordinatorLoadInProgress;
  sync_ = kafka::code::kRebalanceInProgress;
  ASSERT_TRUE(member->Join());
  EXPECT_EQ(broker_.times(Key(ApiKey::kJoinGroup)), 4);  // an id; loading; anew after the sync; in
  int commits = 0;
  broker_.On(Key(ApiKey::kOffsetCommit), [&](const Request& request) {
    const std::int16_t code = commits++ == 0 ? kafka::code::kNotCoordinator : kafka::code::kNone;
    const kafka::OffsetCommitResponse::Partition partition{.error_code = code};
    const kafka::OffsetCommitResponse::Topic topic{.name = "t", .partitions = {&partition, 1}};
    kafka::OffsetCommitResponse response;
    response.topics = {&topic, 1};
    return FakeBroker::Answer(request, response);
  });
  EXPECT_TRUE(member->Commit(kFirst, Offset(1)));
  EXPECT_EQ(commits, 2);
}

TEST_F(GroupMemberTest, AGroupOfAnotherProtocolIsRefusedByName) {
  join_ = kafka::code::kInconsistentGroupProtocol;
  const auto share = Open()->Join();
  ASSERT_FALSE(share);
  EXPECT_EQ(share.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(share.error().message().find("range or roundrobin"), std::string_view::npos);
}

TEST_F(GroupMemberTest, AStopEndsAJoinThatWaitsAndTheMemberLeaves) {
  std::stop_source stop;
  std::unique_ptr<GroupMember> member;
  {
    const RequestScope scope({.stop = stop.get_token()});
    member = Open();
  }
  broker_.On(Key(ApiKey::kJoinGroup), [this](const Request& request) {
    kafka::Arena arena;
    const bool first = FakeBroker::Read<kafka::JoinGroupRequest>(request, arena).member_id.empty();
    return first ? Join(request) : Reply{};  // the others do not come
  });
  std::jthread stopping([&] {
    while (broker_.times(Key(ApiKey::kJoinGroup)) < 2) std::this_thread::yield();
    stop.request_stop();
  });
  const auto share = member->Join();
  ASSERT_FALSE(share);
  EXPECT_EQ(share.error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(member->Leave());
  EXPECT_EQ(broker_.times(Key(ApiKey::kLeaveGroup)), 1);
}

}  // namespace
}  // namespace millrace::client
