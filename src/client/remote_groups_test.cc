// Goal: groups of a server are told as those of a directory; what is refused says why; a removal whose answer is lost
// is no failure. Method: a server for tests that answers as each test says.
#include <gtest/gtest.h>

#include "client/fake_broker.h"
#include "client/remote_log.h"
#include "kafka/messages/api_keys.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"

namespace millrace {
namespace {

using client::FakeBroker;
using Reply = FakeBroker::Reply;
using Request = FakeBroker::Request;

constexpr std::int16_t Key(kafka::ApiKey key) { return static_cast<std::int16_t>(key); }

class RemoteGroupsTest : public testing::Test {
 protected:
  RemoteGroupsTest()
      : log_(*RemoteLog::Open({.address = broker_.address(),
                               .retry_for = std::chrono::seconds(20),
                               .pause_first = std::chrono::milliseconds(1),
                               .pause_most = std::chrono::milliseconds(20)})) {
    broker_.On(Key(kafka::ApiKey::kFindCoordinator), [this](const Request& request) {
      kafka::FindCoordinatorResponse response;
      // The node that the metadata tells of.
      response.node_id = 1;
      response.host = "127.0.0.1";
      response.port = broker_.address().port;
      return FakeBroker::Answer(request, response);
    });
  }
  /// Answers with each of these codes in turn, and with the last one from then on.
  template <class Fill>
  void AnswerCodes(kafka::ApiKey key, std::vector<std::int16_t> codes, Fill fill) {
    broker_.On(Key(key), [codes, fill](const Request& request) {
      return fill(request, codes[std::min<std::size_t>(static_cast<std::size_t>(request.times), codes.size() - 1)]);
    });
  }
  void AnswerCommits(std::vector<std::int16_t> codes) {
    AnswerCodes(kafka::ApiKey::kOffsetCommit, std::move(codes), [](const Request& request, std::int16_t code) {
      const kafka::OffsetCommitResponse::Partition partition{.error_code = code};
      const kafka::OffsetCommitResponse::Topic topic{.name = "t", .partitions = {&partition, 1}};
      kafka::OffsetCommitResponse response;
      response.topics = {&topic, 1};
      return FakeBroker::Answer(request, response);
    });
  }
  void AnswerDeletions(std::vector<std::int16_t> codes) {
    AnswerCodes(kafka::ApiKey::kDeleteGroups, std::move(codes), [](const Request& request, std::int16_t code) {
      if (code < 0) return Reply{.closes = true};
      const kafka::DeleteGroupsResponse::Result result{.group_id = "g", .error_code = code};
      kafka::DeleteGroupsResponse response;
      response.results = {&result, 1};
      return FakeBroker::Answer(request, response);
    });
  }

  FakeBroker broker_;
  const std::unique_ptr<RemoteLog> log_;
  const TopicPartition partition_{"t", PartitionId(0)};
};

TEST_F(RemoteGroupsTest, AGroupIsDescribedWithItsLag) {
  broker_.On(Key(kafka::ApiKey::kOffsetFetch), [](const Request& request) {
    const kafka::OffsetFetchResponse::Partition partition{.committed_offset = 0};
    const kafka::OffsetFetchResponse::Topic topic{.name = "t", .partitions = {&partition, 1}};
    kafka::OffsetFetchResponse response;
    response.topics = {&topic, 1};
    return FakeBroker::Answer(request, response);
  });
  const auto positions = log_->DescribeGroup("g");
  ASSERT_TRUE(positions) << positions.error().ToString();
  ASSERT_EQ(positions->size(), 1u);
  EXPECT_EQ(positions->front().partition, partition_);
  EXPECT_EQ(positions->front().position, Offset(0));
  EXPECT_EQ(positions->front().lag, 0u);
}

TEST_F(RemoteGroupsTest, AGroupWithoutPositionsIsNotThere) {
  broker_.On(Key(kafka::ApiKey::kOffsetFetch),
             [](const Request& request) { return FakeBroker::Answer(request, kafka::OffsetFetchResponse{}); });
  EXPECT_EQ(log_->DescribeGroup("g").error().code(), ErrorCode::kNotFound);
}

TEST_F(RemoteGroupsTest, MembersAreTold) {
  broker_.On(Key(kafka::ApiKey::kDescribeGroups), [](const Request& request) {
    kafka::DescribeGroupsResponse::Member member;
    member.member_id = "m";
    member.client_id = "c";
    member.client_host = "/127.0.0.1";
    member.member_assignment = AsBytes("opaque");
    kafka::DescribeGroupsResponse::Group group;
    group.group_id = "g";
    group.group_state = "Stable";
    group.protocol_type = "consumer";
    group.protocol_data = "range";
    group.members = {&member, 1};
    kafka::DescribeGroupsResponse response;
    response.groups = {&group, 1};
    return FakeBroker::Answer(request, response);
  });
  const auto told = log_->DescribeGroupMembers("g");
  ASSERT_TRUE(told) << told.error().ToString();
  EXPECT_EQ(told->state, "Stable");
  EXPECT_EQ(told->protocol, "range");
  ASSERT_EQ(told->members.size(), 1U);
  EXPECT_EQ(told->members[0].member, "m");
  EXPECT_EQ(told->members[0].instance, "");
  EXPECT_EQ(told->members[0].assignment, "opaque");
}

TEST_F(RemoteGroupsTest, GroupsAreListed) {
  broker_.On(Key(kafka::ApiKey::kListGroups), [](const Request& request) {
    const kafka::ListGroupsResponse::Group groups[] = {{.group_id = "b"}, {.group_id = "a"}};
    kafka::ListGroupsResponse response;
    response.groups = groups;
    return FakeBroker::Answer(request, response);
  });
  EXPECT_EQ(*log_->ListGroups(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(RemoteGroupsTest, WhatMaySucceedLaterIsTriedAgain) {
  AnswerCommits({14, 16, 0});
  EXPECT_TRUE(log_->SeekGroup("g", partition_, Offset(3)));
  EXPECT_EQ(broker_.times(Key(kafka::ApiKey::kOffsetCommit)), 3);
}

TEST_F(RemoteGroupsTest, AGroupWithMembersIsNeitherMovedNorRemoved) {
  AnswerCommits({25});
  const auto moved = log_->SeekGroup("g", partition_, Offset(3));
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().message(), "group g has members");
  EXPECT_FALSE(moved.error().retryable());
  AnswerDeletions({68});
  EXPECT_EQ(log_->DeleteGroup("g").error().message(), "group g has members");
}

TEST_F(RemoteGroupsTest, ARemovalWhoseAnswerIsLostIsNoFailureWhenTheGroupIsGone) {
  AnswerDeletions({-1, 69});
  EXPECT_TRUE(log_->DeleteGroup("g"));
  AnswerDeletions({69});
  EXPECT_EQ(log_->DeleteGroup("g").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace millrace
