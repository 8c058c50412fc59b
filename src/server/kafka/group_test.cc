// Goal: every API of groups over the wire, at its oldest and newest versions; the library and Kafka clients in turn;
// what waits ends with its connection and with the server. Method: connections without sockets over a real log, one
// that commits in memory; loops that the test turns.
#include <map>

#include "kafka/messages/delete_groups.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_delete.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/sync_group.h"
#include "millrace/consumer.h"
#include "server/kafka/broker_fixture.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using std::chrono::seconds;

constexpr std::int16_t kUnknownMember = 25, kRebalancing = 27, kNonEmpty = 68, kIdRequired = 79;

class GroupTest : public BrokerFixture {
 protected:
  GroupTest() : client_(Connect()) { CreateTopic("t", 4); }

  static constexpr kafka::JoinGroupRequest::Protocol kProtocol{.name = "range", .metadata = {}};

  static kafka::JoinGroupRequest JoinRequest(std::string_view member, std::string_view group = "g") {
    kafka::JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    request.member_id = member;
    request.protocol_type = "consumer";
    request.protocols = {&kProtocol, 1};
    return request;
  }
  kafka::JoinGroupResponse Join(TestClient& client, std::string_view member, std::int16_t version = 9,
                                std::string_view group = "g") {
    return client.Call<kafka::JoinGroupResponse>(JoinRequest(member, group), version);
  }
  /// With the round trip for its id.
  std::string JoinWhole(TestClient& client, std::string_view group = "g") {
    const auto first = Join(client, "", 9, group);
    EXPECT_EQ(first.error_code, kIdRequired);
    std::string member(first.member_id);
    EXPECT_EQ(Join(client, member, 9, group).error_code, 0);
    return member;
  }
  kafka::SyncGroupRequest SyncRequest(std::string_view member, std::int32_t generation, std::string_view assignment,
                                      std::string_view group = "g") {
    kafka::SyncGroupRequest request;
    request.group_id = group;
    request.generation_id = generation;
    request.member_id = member;
    request.protocol_type = "consumer";
    request.protocol_name = "range";
    const auto assignments = arena_.New<kafka::SyncGroupRequest::Assignment>(1);
    assignments[0] = {.member_id = Keep(arena_, member), .assignment = AsBytes(Keep(arena_, assignment))};
    request.assignments = assignments;
    return request;
  }
  /// A Stable group of one.
  std::string MakeStable(TestClient& client, std::string_view group = "g") {
    const std::string member = JoinWhole(client, group);
    const auto synced = client.Call<kafka::SyncGroupResponse>(SyncRequest(member, 1, "part of it", group), 5);
    EXPECT_EQ(synced.error_code, 0);
    EXPECT_EQ(AsText(synced.assignment), "part of it");
    return member;
  }
  static kafka::HeartbeatRequest BeatRequest(std::string_view member, std::int32_t generation) {
    kafka::HeartbeatRequest request;
    request.group_id = "g";
    request.generation_id = generation;
    request.member_id = member;
    return request;
  }
  static std::int16_t Beat(TestClient& client, std::string_view member, std::int32_t generation,
                           std::int16_t version = 4) {
    return client.Call<kafka::HeartbeatResponse>(BeatRequest(member, generation), version).error_code;
  }

  struct Committed {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::int32_t epoch = -1;
    std::string_view text;
    std::string_view topic = "t";
  };
  /// The codes, in the order of `all`.
  std::vector<std::int16_t> Commit(const std::vector<Committed>& all, std::string_view member = "",
                                   std::int32_t generation = -1, std::int16_t version = 9,
                                   std::string_view group = "g") {
    const auto topics = arena_.New<kafka::OffsetCommitRequest::Topic>(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto partitions = arena_.New<kafka::OffsetCommitRequest::Partition>(1);
      partitions[0].partition_index = all[i].partition;
      partitions[0].committed_offset = all[i].offset;
      partitions[0].committed_leader_epoch = all[i].epoch;
      partitions[0].committed_metadata = all[i].text;
      topics[i].name = all[i].topic;
      topics[i].partitions = partitions;
    }
    kafka::OffsetCommitRequest request;
    request.group_id = group;
    request.generation_id_or_member_epoch = generation;
    request.member_id = member;
    request.topics = topics;
    const auto response = client_.Call<kafka::OffsetCommitResponse>(request, version);
    std::vector<std::int16_t> codes;
    for (const auto& topic : response.topics) codes.push_back(topic.partitions[0].error_code);
    return codes;
  }
  /// "0:7/3 text, 1:-1/-1 , " of topic t's first partitions, or of all that has a position.
  std::string Fetched(std::int16_t version, bool all = false, std::string_view group = "g") {
    static constexpr std::int32_t kIndexes[] = {0, 1};
    std::string text;
    const auto show = [&](const auto& topics) {
      for (const auto& topic : topics) {
        if (topic.name != "t") text += std::string(topic.name) + " ";
        for (const auto& each : topic.partitions) {
          EXPECT_EQ(each.error_code, 0);
          text += std::to_string(each.partition_index) + ":" + std::to_string(each.committed_offset) + "/" +
                  std::to_string(each.committed_leader_epoch) + " " + std::string(*each.metadata) + ", ";
        }
      }
    };
    kafka::OffsetFetchRequest request;
    const kafka::OffsetFetchRequest::Topic topic{.name = "t", .partition_indexes = kIndexes};
    const kafka::OffsetFetchRequest::GroupTopic group_topic{.name = "t", .partition_indexes = kIndexes};
    kafka::OffsetFetchRequest::Group one{.group_id = group};
    if (all) {
      request.topics = std::nullopt;
      one.topics = std::nullopt;
    } else {
      request.topics = kafka::Array<kafka::OffsetFetchRequest::Topic>{&topic, 1};
      one.topics = kafka::Array<kafka::OffsetFetchRequest::GroupTopic>{&group_topic, 1};
    }
    request.group_id = group;
    request.groups = {&one, 1};
    const auto response = client_.Call<kafka::OffsetFetchResponse>(request, version);
    EXPECT_EQ(response.error_code, 0);
    if (version < 8) {
      show(response.topics);
    } else {
      EXPECT_EQ(response.groups[0].error_code, 0);
      EXPECT_EQ(response.groups[0].group_id, group);
      show(response.groups[0].topics);
    }
    return text;
  }
  std::string Listed(std::vector<std::string_view> states = {}, std::vector<std::string_view> types = {},
                     std::int16_t version = 5) {
    kafka::ListGroupsRequest request;
    request.states_filter = states;
    request.types_filter = types;
    std::string text;
    const auto response = client_.Call<kafka::ListGroupsResponse>(request, version);
    EXPECT_EQ(response.error_code, 0);
    for (const auto& group : response.groups) {
      text += std::string(group.group_id) + ":" + std::string(group.protocol_type) + ":" +
              std::string(group.group_state) + ":" + std::string(group.group_type) + " ";
    }
    return text;
  }
  kafka::DescribeGroupsResponse::Group Described(std::string_view group, std::int16_t version = 6) {
    kafka::DescribeGroupsRequest request;
    request.groups = {&group, 1};
    return client_.Call<kafka::DescribeGroupsResponse>(request, version).groups[0];
  }
  std::vector<std::int16_t> Deleted(std::vector<std::string_view> groups, std::int16_t version = 2) {
    kafka::DeleteGroupsRequest request;
    request.groups_names = groups;
    std::vector<std::int16_t> codes;
    for (const auto& result : client_.Call<kafka::DeleteGroupsResponse>(request, version).results)
      codes.push_back(result.error_code);
    return codes;
  }

  TestClient& client_;
};

TEST_F(GroupTest, ThisNodeLooksAfterGroupsAndNobodyAfterTransactions) {
  kafka::FindCoordinatorRequest one{.key = "g"};
  for (const std::int16_t version : {0, 1, 3}) {
    const auto found = client_.Call<kafka::FindCoordinatorResponse>(one, version);
    EXPECT_EQ(found.error_code, 0);
    EXPECT_EQ(found.node_id, 1);
    EXPECT_EQ(found.host, "localhost");
    EXPECT_EQ(found.port, 9092);
  }
  one.key_type = 1;
  const auto refused = client_.Call<kafka::FindCoordinatorResponse>(one, 2);
  EXPECT_EQ(refused.error_code, reply_code::kInvalidRequest);
  EXPECT_EQ(*refused.error_message, "transactions are not served here");
  const kafka::Text keys[] = {"a", "b"};
  kafka::FindCoordinatorRequest many{.coordinator_keys = keys};
  for (const std::int16_t version : {4, 6}) {
    const auto found = client_.Call<kafka::FindCoordinatorResponse>(many, version);
    ASSERT_EQ(found.coordinators.size(), 2u);
    EXPECT_EQ(found.coordinators[1].key, "b");
    EXPECT_EQ(found.coordinators[1].error_code, 0);
    EXPECT_EQ(found.coordinators[1].port, 9092);
  }
  many.key_type = 2;
  EXPECT_EQ(client_.Call<kafka::FindCoordinatorResponse>(many, 6).coordinators[0].error_code,
            reply_code::kInvalidRequest);
}

TEST_F(GroupTest, AMemberComesInIsAliveAndLeaves) {
  const std::string member = MakeStable(client_);
  EXPECT_TRUE(member.starts_with("tests-"));
  EXPECT_EQ(Beat(client_, member, 1), 0);
  EXPECT_EQ(Beat(client_, member, 1, 0), 0);
  EXPECT_EQ(Beat(client_, "stranger", 1), kUnknownMember);
  const auto shown = Described("g");
  EXPECT_EQ(shown.group_state, "Stable");
  EXPECT_EQ(shown.protocol_data, "range");
  EXPECT_EQ(shown.members[0].client_id, "tests");
  EXPECT_EQ(shown.members[0].client_host, "/test");
  EXPECT_EQ(AsText(shown.members[0].member_assignment), "part of it");
  const auto kept = engine_->DescribeGroupMembers("g");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->state, "Stable");
  EXPECT_EQ(kept->protocol, "range");
  ASSERT_EQ(kept->members.size(), 1u);
  EXPECT_EQ(kept->members[0].member, member);
  EXPECT_EQ(kept->members[0].client_host, "/test");
  EXPECT_EQ(kept->members[0].assignment, "part of it");
  EXPECT_EQ(engine_->DescribeGroupMembers("nobody's")->state, "Empty");
  EXPECT_EQ(engine_->DescribeGroupMembers("").error().code(), ErrorCode::kInvalidArgument);
  const kafka::LeaveGroupRequest::Member leaving[] = {{.member_id = member}, {.member_id = "stranger"}};
  const auto left =
      client_.Call<kafka::LeaveGroupResponse>(kafka::LeaveGroupRequest{.group_id = "g", .members = leaving}, 5);
  EXPECT_EQ(left.error_code, 0);
  EXPECT_EQ(left.members[0].error_code, 0);
  EXPECT_EQ(left.members[1].error_code, kUnknownMember);
  EXPECT_EQ(client_.Call<kafka::LeaveGroupResponse>(kafka::LeaveGroupRequest{.group_id = "g", .member_id = member}, 2)
                .error_code,
            kUnknownMember);
  EXPECT_EQ(Described("g").group_state, "Empty");
}

TEST_F(GroupTest, OldClientsAreInWithOneCallAndWaitForTheOthers) {
  TestClient& other = Connect();
  const auto first = Join(client_, "", 0);
  EXPECT_EQ(first.error_code, 0);
  EXPECT_EQ(first.generation_id, 1);
  const std::string member(first.member_id);
  ASSERT_TRUE(other.Ask(JoinRequest(""), 1));
  loop_.RunPosted();
  other.EndTurn();
  EXPECT_FALSE(other.HasReply());
  EXPECT_EQ(Beat(client_, member, 1), kRebalancing);
  const auto again = Join(client_, member, 0);
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(again.members.size(), 2u);
  const auto second = other.Answer<kafka::JoinGroupResponse>(1);
  EXPECT_EQ(second.generation_id, 2);
  EXPECT_EQ(second.leader, member);
}

TEST_F(GroupTest, ASyncWaitsForTheLeader) {
  TestClient& other = Connect();
  const std::string member(Join(client_, "", 3).member_id);
  ASSERT_TRUE(other.Ask(JoinRequest(""), 3));
  loop_.RunPosted();
  Join(client_, member, 3);
  const std::string follower(other.Answer<kafka::JoinGroupResponse>(3).member_id);
  kafka::SyncGroupRequest empty;
  empty.group_id = "g";
  empty.generation_id = 2;
  empty.member_id = follower;
  ASSERT_TRUE(other.Ask(empty, 0));
  loop_.RunPosted();
  EXPECT_FALSE(other.HasReply());
  auto request = SyncRequest(follower, 2, "for the follower");
  request.member_id = member;
  EXPECT_EQ(client_.Call<kafka::SyncGroupResponse>(request, 5).error_code, 0);
  EXPECT_EQ(AsText(other.Answer<kafka::SyncGroupResponse>(0).assignment), "for the follower");
}

TEST_F(GroupTest, WhatWaitsEndsWithItsConnection) {
  const std::string member(Join(client_, "", 3).member_id);
  TestClient& other = Connect();
  ASSERT_TRUE(other.Ask(JoinRequest(""), 3));
  loop_.RunPosted();
  const std::uint64_t taken = in_flight_.taken();
  EXPECT_GT(taken, 0u);
  other.connection().Abandon();
  EXPECT_LT(in_flight_.taken(), taken);
  EXPECT_EQ(Join(client_, member, 3).members.size(), 2u);  // it is a member until its session is over
  loop_.RunPosted();
}

TEST_F(GroupTest, WhatWaitsIsAnsweredWhenTheServerStops) {
  const std::string member(Join(client_, "", 3).member_id);
  TestClient& other = Connect();
  ASSERT_TRUE(other.Ask(JoinRequest(""), 3));
  loop_.RunPosted();
  other.connection().Drain();
  EXPECT_EQ(other.Answer<kafka::JoinGroupResponse>(3).error_code, reply_code::kCoordinatorNotAvailable);
  EXPECT_TRUE(other.connection().over());
}

TEST_F(GroupTest, ASessionEndsByTheLoopsTimer) {
  const std::string member = MakeStable(client_);
  loop_.Advance(seconds(9));
  EXPECT_EQ(Beat(client_, member, 1), 0);
  loop_.Advance(seconds(9));
  EXPECT_EQ(Beat(client_, member, 1), 0);
  for (int i = 0; i < 20; ++i) loop_.Advance(seconds(1));
  EXPECT_EQ(Beat(client_, member, 1), kUnknownMember);
}

TEST_F(GroupTest, PositionsComeBackAsTheyWereSentAtEveryVersion) {
  EXPECT_EQ(Commit({{.partition = 0, .offset = 7, .epoch = 3, .text = "text"}}), (std::vector<std::int16_t>{0}));
  EXPECT_EQ(Fetched(1), "0:7/-1 text, 1:-1/-1 , ");
  for (const std::int16_t version : {5, 7, 8, 9}) EXPECT_EQ(Fetched(version), "0:7/3 text, 1:-1/-1 , ") << version;
  for (const std::int16_t version : {2, 6, 7, 9}) {
    EXPECT_EQ(Commit({{.partition = 1, .offset = version}}, "", -1, version), (std::vector<std::int16_t>{0}));
    EXPECT_EQ(Fetched(8, true), "0:7/3 text, 1:" + std::to_string(version) + "/-1 , ");
  }
  EXPECT_EQ(Fetched(2, true), "0:7/-1 text, 1:9/-1 , ");
  EXPECT_EQ(Fetched(9, true, "nobody"), "");
  EXPECT_EQ(Fetched(9, false, "nobody"), "0:-1/-1 , 1:-1/-1 , ");
}

TEST_F(GroupTest, EachPositionThatCannotBeIsToldAndTheOthersAreKept) {
  const std::string text(4'097, 'x');
  EXPECT_EQ(Commit({{.partition = 0, .offset = 7},
                    {.partition = 9, .offset = 7},
                    {.offset = 7, .topic = "none"},
                    {.partition = 1, .offset = 7, .text = text},
                    {.partition = 1, .offset = -1},
                    {.partition = 1, .offset = 8, .text = std::string_view(text).substr(1)}}),
            (std::vector<std::int16_t>{0, reply_code::kUnknownTopic, reply_code::kUnknownTopic,
                                       reply_code::kOffsetMetadataTooLarge, reply_code::kOffsetOutOfRange, 0}));
  EXPECT_EQ(Fetched(9).substr(0, 13), "0:7/-1 , 1:8/");
}

/// R26: as the library's.
TEST_F(GroupTest, WhatKafkasGroupsHaveCommittedGoesWhereATopicSaysSo) {
  ASSERT_TRUE(engine_->CreateTopic("consumed", {.partitions = 1, .cleanup = Cleanup::kConsumed}));
  const TopicPartition at{"consumed", PartitionId(0)};
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(engine_->Append("consumed", "v"));
  const auto log_start = [&] {
    EXPECT_TRUE(engine_->Recycle());
    return engine_->Offsets(at)->log_start;
  };
  EXPECT_EQ(log_start(), Offset(0));
  EXPECT_EQ(Commit({{.offset = 4, .topic = "consumed"}}, "", -1, 9, "b"), (std::vector<std::int16_t>{0}));
  EXPECT_EQ(Commit({{.offset = 7, .topic = "consumed"}}, "", -1, 9, "a"), (std::vector<std::int16_t>{0}));
  EXPECT_EQ(log_start(), Offset(4));
  EXPECT_EQ(Commit({{.offset = 9, .topic = "consumed"}}, "", -1, 9, "b"), (std::vector<std::int16_t>{0}));
  EXPECT_EQ(log_start(), Offset(7));
}

TEST_F(GroupTest, CommitsAreFencedByMemberAndGeneration) {
  const std::string member = MakeStable(client_);
  EXPECT_EQ(Commit({{.offset = 1}}, member, 1), (std::vector<std::int16_t>{0}));
  EXPECT_EQ(Commit({{.offset = 2}}, member, 0), (std::vector<std::int16_t>{22}));
  EXPECT_EQ(Commit({{.offset = 2}}, "stranger", 1), (std::vector<std::int16_t>{kUnknownMember}));
  EXPECT_EQ(Commit({{.offset = 2}}), (std::vector<std::int16_t>{kUnknownMember}));
  EXPECT_EQ(Commit({{.offset = 2}}, "m", 3, 9, "nobody"), (std::vector<std::int16_t>{22}));
  EXPECT_EQ(Fetched(9), "0:1/-1 , 1:-1/-1 , ");
}

TEST_F(GroupTest, TheLibraryAndKafkaClientsGoOnFromOneAnother) {
  std::vector<Record> records(10, Record{.value = "v"});
  ASSERT_TRUE(engine_->Append({"t", PartitionId(0)}, records));
  EXPECT_EQ(Commit({{.partition = 0, .offset = 4, .epoch = 0, .text = "from Kafka"}}), (std::vector<std::int16_t>{0}));
  {
    auto consumer = engine_->OpenConsumer({.group = "g", .topics = {"t"}});
    ASSERT_TRUE(consumer);
    const auto polled = (*consumer)->Poll(3);
    ASSERT_TRUE(polled);
    ASSERT_EQ(polled->size(), 3u);
    EXPECT_EQ(polled->front().offset, Offset(4));
    ASSERT_TRUE((*consumer)->Commit());
  }
  EXPECT_EQ(Fetched(9).substr(0, 9), "0:7/-1 , ");  // of the library's, with nothing beside it
  EXPECT_EQ(engine_->DescribeGroup("g")->front().lag, 3u);
  EXPECT_TRUE(Listed().starts_with("g::Empty:classic"));
  EXPECT_EQ(Described("g").group_state, "Empty");
  ASSERT_TRUE(engine_->DeleteGroup("g"));
  EXPECT_EQ(Listed(), "");
}

TEST_F(GroupTest, ManyGroupsAreAskedForAtOnce) {
  Commit({{.offset = 1}}, "", -1, 9, "a");
  Commit({{.offset = 2}}, "", -1, 9, "b");
  const std::int32_t index = 0;
  const kafka::OffsetFetchRequest::GroupTopic topic{.name = "t", .partition_indexes = {&index, 1}};
  kafka::OffsetFetchRequest::Group groups[3] = {{.group_id = "b"}, {.group_id = "none"}, {.group_id = "a"}};
  groups[0].topics = std::nullopt;
  groups[1].topics = groups[2].topics = kafka::Array<kafka::OffsetFetchRequest::GroupTopic>{&topic, 1};
  kafka::OffsetFetchRequest request;
  request.groups = groups;
  request.require_stable = true;
  const auto response = client_.Call<kafka::OffsetFetchResponse>(request, 9);
  ASSERT_EQ(response.groups.size(), 3u);
  EXPECT_EQ(response.groups[0].topics[0].partitions[0].committed_offset, 2);
  EXPECT_EQ(response.groups[1].topics[0].partitions[0].committed_offset, -1);
  EXPECT_EQ(response.groups[2].topics[0].partitions[0].committed_offset, 1);
}

TEST_F(GroupTest, PositionsOfATopicThatIsGoneAreGone) {
  CreateTopic("other");
  EXPECT_EQ(Commit({{.offset = 5, .topic = "other"}, {.offset = 6}}), (std::vector<std::int16_t>{0, 0}));
  EXPECT_EQ(Fetched(9, true), "other 0:5/-1 , 0:6/-1 , ");
  ASSERT_TRUE(engine_->DeleteTopic("other"));
  EXPECT_EQ(Fetched(9, true), "0:6/-1 , ");
  CreateTopic("other");
  EXPECT_EQ(Fetched(9, true), "0:6/-1 , ");
}

TEST_F(GroupTest, GroupsAreListedByStateAndType) {
  MakeStable(client_, "stable");
  Commit({{.offset = 1}}, "", -1, 9, "by-hand");
  EXPECT_EQ(Listed(), "by-hand::Empty:classic stable:consumer:Stable:classic ");
  EXPECT_EQ(Listed({"stable"}), "stable:consumer:Stable:classic ");
  EXPECT_EQ(Listed({"Empty", "Dead"}), "by-hand::Empty:classic ");
  EXPECT_EQ(Listed({}, {"Classic"}), "by-hand::Empty:classic stable:consumer:Stable:classic ");
  EXPECT_EQ(Listed({}, {"consumer"}), "");
  EXPECT_EQ(Listed({}, {}, 0), "by-hand::: stable:consumer:: ");
}

TEST_F(GroupTest, AGroupThatIsNotThereIsDeadAndFromV6OnMissing) {
  EXPECT_EQ(Described("none", 0).group_state, "Dead");
  EXPECT_EQ(Described("none", 5).error_code, 0);
  EXPECT_EQ(Described("none", 6).error_code, reply_code::kGroupIdNotFound);
  kafka::DescribeGroupsRequest nothing;
  EXPECT_TRUE(client_.Call<kafka::DescribeGroupsResponse>(nothing, 6).groups.empty());
}

TEST_F(GroupTest, GroupsWithoutMembersAreDeleted) {
  const std::string member = MakeStable(client_);
  Commit({{.offset = 1}}, member, 1);
  Commit({{.offset = 1}}, "", -1, 9, "by-hand");
  EXPECT_EQ(Deleted({"g", "by-hand", "none"}), (std::vector<std::int16_t>{kNonEmpty, 0, reply_code::kGroupIdNotFound}));
  EXPECT_EQ(Fetched(9, true, "by-hand"), "");
  EXPECT_EQ(Listed(), "g:consumer:Stable:classic ");
  EXPECT_TRUE(Deleted({}, 0).empty());
}

TEST_F(GroupTest, PositionsAreDeletedUnlessTheirTopicIsRead) {
  Commit({{.partition = 0, .offset = 1}, {.partition = 1, .offset = 1}});
  const kafka::OffsetDeleteRequest::Partition partitions[] = {{.partition_index = 1}, {.partition_index = 77}};
  const kafka::OffsetDeleteRequest::Topic topic{.name = "t", .partitions = partitions};
  kafka::OffsetDeleteRequest request{.group_id = "g", .topics = {&topic, 1}};
  const auto deleted = client_.Call<kafka::OffsetDeleteResponse>(request, 0);
  EXPECT_EQ(deleted.error_code, 0);
  EXPECT_EQ(deleted.topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(deleted.topics[0].partitions[1].error_code, reply_code::kUnknownTopic);
  EXPECT_EQ(Fetched(9, true), "0:1/-1 , ");
  request.group_id = "none";
  EXPECT_EQ(client_.Call<kafka::OffsetDeleteResponse>(request, 0).error_code, reply_code::kGroupIdNotFound);
  MakeStable(client_);  // its metadata does not tell what it reads
  request.group_id = "g";
  EXPECT_EQ(client_.Call<kafka::OffsetDeleteResponse>(request, 0).topics[0].partitions[0].error_code,
            reply_code::kGroupSubscribedToTopic);
}

TEST_F(GroupTest, MoreThanIsAnsweredAtOnceClosesTheConnection) {
  const std::vector<std::string> names(10'001, "a-group");
  const std::vector<std::string_view> views(names.begin(), names.end());
  kafka::DescribeGroupsRequest request;
  request.groups = views;
  ASSERT_TRUE(client_.Ask(request, 6));
  EXPECT_TRUE(client_.connection().over());
  EXPECT_NE(client_.connection().why_closed().find("groups or partitions"), std::string::npos);
}

TEST_F(GroupTest, OnTheLoopOfTheGroupsWhatIsAnsweredAtOnceIsAnsweredInPlace) {
  const std::string member = MakeStable(client_);
  loop_.RunPosted();
  ASSERT_TRUE(client_.Ask(BeatRequest(member, 1), 4));
  EXPECT_TRUE(client_.HasReply());
  EXPECT_EQ(client_.Answer<kafka::HeartbeatResponse>(4).error_code, 0);
  // Several that came together, in their order.
  ASSERT_TRUE(client_.Ask(BeatRequest(member, 1), 4));
  ASSERT_TRUE(client_.Ask(BeatRequest(member, 7), 4));
  EXPECT_EQ(client_.Answer<kafka::HeartbeatResponse>(4).error_code, 0);
  EXPECT_EQ(client_.Answer<kafka::HeartbeatResponse>(4).error_code, 22);
  EXPECT_EQ(loop_.RunPosted(), 0) << "a turn more for each";
}

TEST_F(GroupTest, AnotherLoopIsAnsweredOnItsOwnThread) {
  const std::string member = MakeStable(client_);
  loop_.RunPosted();
  FakeTurnLoop other;
  Broker elsewhere({.engine = *engine_,
                    .log = *log_,
                    .loop = other,
                    .admin = *admin_,
                    .cold = *cold_,
                    .cold_bytes = cold_bytes_,
                    .session_bytes = session_bytes_,
                    .groups = *groups_},
                   {.cluster_id = "test-cluster", .port = 9092}, [](std::string_view) {});
  TestClient far(other, elsewhere, frames_, in_flight_);
  ASSERT_TRUE(far.Ask(BeatRequest(member, 1), 4));
  EXPECT_EQ(other.RunPosted(), 0);
  EXPECT_EQ(loop_.RunPosted(), 1) << "asked where groups live";
  EXPECT_FALSE(far.HasReply()) << "on a thread that is not its own";
  EXPECT_EQ(other.RunPosted(), 1);
  EXPECT_TRUE(far.HasReply());
  EXPECT_EQ(far.Answer<kafka::HeartbeatResponse>(4).error_code, 0);
}

TEST_F(GroupTest, AServerThatBeginsAgainKnowsItsGroups) {
  const std::string member = MakeStable(client_);
  EXPECT_EQ(Commit({{.offset = 3}}, member, 1), (std::vector<std::int16_t>{0}));
  GroupDesk again(
      {.access = *group_access_, .home = loop_, .pool = *admin_, .random = random_, .tell = [](std::string_view) {}},
      {});
  ASSERT_TRUE(again.Load());
  again.Ask(loop_, [&](GroupCoordinator& groups) { EXPECT_EQ(groups.Heartbeat("g", {member}, 1), GroupError::kNone); });
}

}  // namespace
}  // namespace millrace
