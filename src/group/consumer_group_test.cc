// Goal: each cell of the table in docs/groups.md. Method: members by hand, on simulated time, with every snapshot made
// durable when the test says so.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "group/consumer_group_fixture.h"
#include "group/subscription.h"

namespace millrace {
namespace {

TEST_F(ConsumerGroupTest, TheFirstToJoinLeadsAndIsToldTheMembers) {
  const GroupTicket first = Join(Call());
  EXPECT_EQ(Joined(first).generation, 1);
  EXPECT_EQ(Joined(first).leader, "id-1");
  const GroupTicket second = Join(Call({}, {{"range", "other"}}));
  EXPECT_TRUE(Waits(second));
  EXPECT_EQ(Beat("id-1"), GroupError::kRebalanceInProgress);
  const GroupTicket again = Join(Call("id-1"));
  EXPECT_EQ(Joined(second).generation, 2);
  EXPECT_EQ(Joined(second).leader, "id-1");
  EXPECT_EQ(Joined(second).member, "id-2");
  EXPECT_TRUE(Joined(second).members.empty());
  ASSERT_EQ(Joined(again).members.size(), 2u);
  EXPECT_EQ(Joined(again).members[1].member, "id-2");
  EXPECT_EQ(Joined(again).members[1].metadata, "other");
  EXPECT_EQ(Joined(again).protocol, "range");
  EXPECT_EQ(Joined(again).protocol_type, "consumer");
}

TEST_F(ConsumerGroupTest, SyncsWaitForTheLeaderAndForTheDisk) {
  const GroupTicket first = Join(Call());
  Join(Call());
  Rejoin(first);
  const GroupTicket follower = Sync("id-2", 2);
  EXPECT_TRUE(Waits(follower));
  const GroupTicket leader = Sync("id-1", 2, {{"id-1", "A"}, {"id-2", "B"}, {"unknown", "C"}});
  EXPECT_TRUE(Waits(leader));
  EXPECT_TRUE(Waits(follower));
  EXPECT_EQ(group_.state(), GroupState::kCompleting);
  Saved();
  EXPECT_EQ(group_.state(), GroupState::kStable);
  EXPECT_EQ(Synced(leader).assignment, "A");
  EXPECT_EQ(Synced(follower).assignment, "B");
  EXPECT_EQ(Synced(Sync("id-2", 2)).assignment, "B");  // Stable: at once
}

TEST_F(ConsumerGroupTest, AnAssignmentThatIsNotDurableIsNobodys) {
  Join(Call());
  const GroupTicket sync = Sync("id-1", 1, {{"id-1", "A"}});
  Saved(false);
  EXPECT_EQ(Synced(sync).error, GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  EXPECT_EQ(Joined(Join(Call("id-1"))).generation, 2);
}

TEST_F(ConsumerGroupTest, ASnapshotThatComesTooLateChangesNothing) {
  Join(Call());
  const GroupTicket sync = Sync("id-1", 1, {{"id-1", "A"}});
  const GroupTicket other = Join(Call());
  EXPECT_EQ(Synced(sync).error, GroupError::kRebalanceInProgress);
  Saved();
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  EXPECT_TRUE(Waits(other));
  Join(Call("id-1"));
  Saved();  // of the generation before
  EXPECT_EQ(group_.state(), GroupState::kCompleting);
}

TEST_F(ConsumerGroupTest, AMemberThatTakesAnIdComesBackWithIt) {
  JoinCall call = Call();
  call.takes_member_id = true;
  const JoinAnswer required = Joined(Join(call));
  EXPECT_EQ(required.error, GroupError::kMemberIdRequired);
  EXPECT_EQ(required.member, "id-1");
  EXPECT_EQ(group_.members(), 0u);
  call.who.member = required.member;
  EXPECT_EQ(Joined(Join(call)).generation, 1);
  EXPECT_EQ(group_.pending(), 0u);
}

TEST_F(ConsumerGroupTest, AnIdThatNobodyComesBackWithIsForgottenAndHoldsARebalanceUpUntilThen) {
  MakeStable(1);
  JoinCall call = Call();
  call.takes_member_id = true;
  Join(call);
  const GroupTicket other = Join(Call());
  const GroupTicket first = Join(Call("id-1"));
  EXPECT_TRUE(Waits(first));  // the pending one may come yet
  Advance(seconds(10));
  EXPECT_EQ(Joined(first).generation, 2);
  EXPECT_EQ(Joined(other).error, kNone);
  EXPECT_EQ(Code(Join(Call("id-2"))), GroupError::kUnknownMember);
}

TEST_F(ConsumerGroupTest, APendingIdThatLeavesHoldsNothingUp) {
  MakeStable(1);
  JoinCall call = Call();
  call.takes_member_id = true;
  Join(call);
  Join(Call());
  const GroupTicket first = Join(Call("id-1"));
  EXPECT_EQ(Leave({"id-2"}), kNone);
  EXPECT_EQ(Joined(first).generation, 2);
}

TEST_F(ConsumerGroupTest, WhoIsUnknownIsToldSoEverywhere) {
  EXPECT_EQ(Code(Join(Call("stranger"))), GroupError::kUnknownMember);
  MakeStable(1);
  EXPECT_EQ(Code(Join(Call("stranger"))), GroupError::kUnknownMember);
  EXPECT_EQ(Code(Sync("stranger", 1)), GroupError::kUnknownMember);
  EXPECT_EQ(Beat("stranger"), GroupError::kUnknownMember);
  EXPECT_EQ(Commit("stranger"), GroupError::kUnknownMember);
  EXPECT_EQ(Leave({"stranger"}), GroupError::kUnknownMember);
  EXPECT_EQ(group_.Heartbeat({"id-1", "no-instance"}, 1, now_), GroupError::kUnknownMember);
  EXPECT_EQ(Leave({"", "no-instance"}), GroupError::kUnknownMember);
}

TEST_F(ConsumerGroupTest, AnotherGenerationIsRefused) {
  MakeStable(1);
  EXPECT_EQ(group_.Heartbeat({"id-1"}, 0, now_), GroupError::kIllegalGeneration);
  EXPECT_EQ(group_.CheckCommit({"id-1"}, 2, now_), GroupError::kIllegalGeneration);
  EXPECT_EQ(Code(Sync("id-1", 7)), GroupError::kIllegalGeneration);
}

TEST_F(ConsumerGroupTest, OtherProtocolsAreInconsistent) {
  MakeStable(1);
  JoinCall other_type = Call();
  other_type.protocol_type = "connect";
  EXPECT_EQ(Code(Join(other_type)), GroupError::kInconsistentProtocol);
  EXPECT_EQ(Code(Join(Call({}, {{"sticky", ""}}))), GroupError::kInconsistentProtocol);
  EXPECT_EQ(Code(Join(Call({}, {}))), GroupError::kInconsistentProtocol);
  JoinCall untyped = Call();
  untyped.protocol_type.clear();
  EXPECT_EQ(Code(Join(untyped)), GroupError::kInconsistentProtocol);
  SyncCall sync{.who = {"id-1"}, .generation = 1, .protocol_type = "connect"};
  EXPECT_EQ(Code(Sync(sync)), GroupError::kInconsistentProtocol);
  sync = {.who = {"id-1"}, .generation = 1, .protocol = "sticky"};
  EXPECT_EQ(Code(Sync(sync)), GroupError::kInconsistentProtocol);
  EXPECT_EQ(group_.state(), GroupState::kStable);
}

TEST_F(ConsumerGroupTest, TheProtocolIsOneThatAllKnowAndMostLike) {
  const GroupTicket first = Join(Call({}, {{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  Join(Call({}, {{"c", ""}, {"b", ""}}));
  Join(Call({}, {{"d", ""}, {"c", ""}, {"b", ""}}));
  EXPECT_EQ(Joined(first).protocol, "a");
  const GroupTicket again = Join(Call("id-1", {{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(Joined(again).protocol, "c");
  EXPECT_EQ(Joined(again).members[0].metadata, "3");
}

TEST_F(ConsumerGroupTest, AProtocolNamedTwiceCountsOnce) {
  Join(Call({}, {{"a", "1"}, {"a", "2"}}));
  EXPECT_EQ(group_.Snapshot().members[0].metadata, "1");
  EXPECT_EQ(Code(Join(Call({}, {{"b", ""}, {"b", ""}}))), GroupError::kInconsistentProtocol);
}

TEST_F(ConsumerGroupTest, AFollowerThatRejoinsUnchangedDisturbsNobody) {
  MakeStable(2);
  const JoinAnswer answer = Joined(Join(Call("id-2")));
  EXPECT_EQ(answer.generation, 2);
  EXPECT_TRUE(answer.members.empty());
  EXPECT_EQ(group_.state(), GroupState::kStable);
}

TEST_F(ConsumerGroupTest, ALeaderThatRejoinsOrAFollowerThatChangedBeginsARebalance) {
  MakeStable(2);
  EXPECT_TRUE(Waits(Join(Call("id-1"))));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  Join(Call("id-2"));
  Complete(2);
  EXPECT_TRUE(Waits(Join(Call("id-2", {{"range", "changed"}}))));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
}

TEST_F(ConsumerGroupTest, AnAnswerThatWasLostInCompletingIsGivenAgain) {
  const GroupTicket first = Join(Call());
  Join(Call());
  Rejoin(first);
  EXPECT_EQ(Joined(Join(Call("id-1"))).members.size(), 2u);
  EXPECT_EQ(Joined(Join(Call("id-2"))).generation, 2);
  EXPECT_EQ(group_.state(), GroupState::kCompleting);
  EXPECT_TRUE(Waits(Join(Call("id-2", {{"range", "changed"}}))));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
}

TEST_F(ConsumerGroupTest, AJoinOrSyncThatIsRepeatedEndsTheFirst) {
  MakeStable(2);
  const GroupTicket first = Join(Call("id-1"));
  const GroupTicket again = Join(Call("id-1"));
  EXPECT_EQ(Code(first), GroupError::kRebalanceInProgress);
  Join(Call("id-2"));
  EXPECT_EQ(Joined(again).generation, 3);
  const GroupTicket sync = Sync("id-2", 3), sync_again = Sync("id-2", 3);
  EXPECT_EQ(Code(sync), GroupError::kRebalanceInProgress);
  EXPECT_TRUE(Waits(sync_again));
  // A leader's repetition does not assign anew.
  Sync("id-1", 3, {{"id-1", "A"}, {"id-2", "B"}});
  Sync("id-1", 3, {{"id-1", "X"}, {"id-2", "Y"}});
  Saved();
  EXPECT_EQ(Synced(sync_again).assignment, "B");
}

TEST_F(ConsumerGroupTest, CommitsAreTakenWhilePreparingAndNotWhileCompleting) {
  MakeStable(2);
  EXPECT_EQ(Commit("id-1"), kNone);
  Join(Call("id-1"));
  EXPECT_EQ(Commit("id-2"), kNone);
  EXPECT_EQ(group_.CheckCommit({}, -1, now_), GroupError::kUnknownMember);
  Join(Call("id-2"));
  EXPECT_EQ(Commit("id-2"), GroupError::kRebalanceInProgress);
  EXPECT_EQ(Beat("id-2"), kNone);
}

TEST_F(ConsumerGroupTest, AGroupWithoutMembersTakesCommitsWithoutAGeneration) {
  EXPECT_EQ(group_.CheckCommit({}, -1, now_), kNone);
  EXPECT_EQ(group_.CheckCommit({"gone"}, 4, now_), GroupError::kUnknownMember);
  MakeStable(1);
  EXPECT_EQ(group_.CheckCommit({}, -1, now_), GroupError::kUnknownMember);
}

TEST_F(ConsumerGroupTest, WhoDoesNotComeBackInTimeIsOut) {
  MakeStable(3);
  const GroupTicket first = Join(Call("id-1"));
  const GroupTicket second = Join(Call("id-2"));
  KeepAlive({"id-3"}, seconds(60));  // alive, and does not join
  EXPECT_EQ(Joined(first).generation, 3);
  EXPECT_EQ(Joined(first).members.size(), 2u);
  EXPECT_EQ(Joined(second).error, kNone);
  EXPECT_EQ(Beat("id-3"), GroupError::kUnknownMember);
}

TEST_F(ConsumerGroupTest, AMemberWhoseJoinOrSyncWaitsDoesNotExpire) {
  MakeStable(2);
  const GroupTicket first = Join(Call("id-1"));
  KeepAlive({"id-2"}, seconds(40));
  EXPECT_TRUE(Waits(first));
  Join(Call("id-2"));
  EXPECT_EQ(Joined(first).generation, 3);
  const GroupTicket sync = Sync("id-2", 3);
  KeepAlive({"id-1"}, seconds(40));
  EXPECT_TRUE(Waits(sync));
  Sync("id-1", 3, {{"id-2", "B"}});
  Saved();
  EXPECT_EQ(Synced(sync).assignment, "B");
  Advance(seconds(9));
  EXPECT_EQ(Beat("id-2"), kNone);  // its session began with the answer
}

TEST_F(ConsumerGroupTest, ASessionThatEndsBeginsARebalance) {
  MakeStable(2);
  KeepAlive({"id-1"}, seconds(15));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  EXPECT_EQ(group_.members(), 1u);
  EXPECT_EQ(Joined(Join(Call("id-1"))).members.size(), 1u);
}

TEST_F(ConsumerGroupTest, ALeaderThatDiesBeforeItAssignsIsReplaced) {
  const GroupTicket first = Join(Call());
  Join(Call());
  Rejoin(first);
  const GroupTicket sync = Sync("id-2", 2);
  Advance(seconds(10));
  EXPECT_EQ(Code(sync), GroupError::kRebalanceInProgress);
  EXPECT_EQ(Joined(Join(Call("id-2"))).leader, "id-2");
}

TEST_F(ConsumerGroupTest, WhoDoesNotSyncInTimeIsOut) {
  const GroupTicket first = Join(Call());
  Join(Call());
  Rejoin(first);
  Sync("id-1", 2, {{"id-1", "A"}});
  Saved();
  KeepAlive({"id-1", "id-2"}, seconds(60));
  EXPECT_EQ(group_.members(), 1u);
  EXPECT_EQ(Beat("id-2"), GroupError::kUnknownMember);
  EXPECT_EQ(Beat("id-1"), GroupError::kRebalanceInProgress);
}

TEST_F(ConsumerGroupTest, ALeaveIsARebalanceOrTheEnd) {
  MakeStable(2);
  EXPECT_EQ(Leave({"id-1"}), kNone);
  EXPECT_EQ(Joined(Join(Call("id-2"))).leader, "id-2");
  const GroupTicket sync = Sync("id-2", group_.generation());
  EXPECT_TRUE(Waits(sync));
  EXPECT_EQ(Leave({"id-2"}), kNone);
  EXPECT_EQ(Code(sync), GroupError::kUnknownMember);
  EXPECT_EQ(group_.state(), GroupState::kEmpty);
  EXPECT_EQ(group_.generation(), 4);
  EXPECT_TRUE(group_.Snapshot().members.empty());
  EXPECT_EQ(save_, 3u);  // and it is to be made durable
}

TEST_F(ConsumerGroupTest, ALeaveMayCompleteARebalance) {
  MakeStable(2);
  const GroupTicket first = Join(Call("id-1"));
  EXPECT_EQ(Leave({"id-2"}), kNone);
  EXPECT_EQ(Joined(first).members.size(), 1u);
}

// Bounds and time.

class DelayedGroupTest : public ConsumerGroupTest {
 protected:
  DelayedGroupTest() : ConsumerGroupTest({.initial_delay = seconds(3)}) {}
};

TEST_F(DelayedGroupTest, TheFirstWaitForOthersAndLongerWhileTheyCome) {
  const GroupTicket first = Join(Call());
  Advance(milliseconds(2'900));
  EXPECT_TRUE(Waits(first));
  Join(Call());
  Advance(seconds(3));
  EXPECT_TRUE(Waits(first));  // someone came
  Advance(milliseconds(200));
  EXPECT_EQ(Joined(first).members.size(), 2u);
  EXPECT_EQ(Joined(first).generation, 1);
}

TEST_F(DelayedGroupTest, TheWaitEndsWithTheRebalanceTimeout) {
  JoinCall call = Call();
  call.rebalance_timeout = seconds(7);
  const GroupTicket first = Join(call);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(Waits(first)) << i;
    Join(call);
    Advance(seconds(1));
  }
  Join(call);
  Advance(seconds(1));
  EXPECT_EQ(Joined(first).members.size(), 8u);
}

TEST_F(DelayedGroupTest, ALaterRebalanceDoesNotWait) {
  Join(Call());
  Advance(seconds(3));
  Complete(1);
  EXPECT_FALSE(Waits(Join(Call("id-1"))));
}

TEST_F(DelayedGroupTest, AllMayLeaveWhileItWaits) {
  const GroupTicket first = Join(Call());
  EXPECT_EQ(Leave({"id-1"}), kNone);
  EXPECT_EQ(Code(first), GroupError::kUnknownMember);
  Advance(seconds(3));
  EXPECT_EQ(group_.state(), GroupState::kEmpty);
}

class SmallGroupTest : public ConsumerGroupTest {
 protected:
  SmallGroupTest() : ConsumerGroupTest({.initial_delay = milliseconds(0), .members_max = 2}) {}
};

TEST_F(SmallGroupTest, AFullGroupTakesNobodyInButItsOwn) {
  JoinCall call = Call();
  call.takes_member_id = true;
  Join(call);
  Join(Call());
  EXPECT_EQ(Code(Join(Call())), GroupError::kGroupFull);
  EXPECT_EQ(Code(Join(call)), GroupError::kGroupFull);
  EXPECT_EQ(Code(Join(Static("one"))), GroupError::kGroupFull);
  EXPECT_EQ(Code(Join(Call("id-1"))), kNone);  // it had its id
}

TEST_F(ConsumerGroupTest, ANewMemberIsNotKeptForEverByARebalance) {
  JoinCall slow = Call();
  slow.rebalance_timeout = seconds(100'000);
  slow.session_timeout = seconds(1'000);
  Join(slow);
  Complete(1);
  const GroupTicket newcomer = Join(Call());
  Advance(std::chrono::minutes(5));
  EXPECT_EQ(Code(newcomer), GroupError::kUnknownMember);
  EXPECT_EQ(group_.members(), 1u);
}

TEST_F(ConsumerGroupTest, ADeadGroupAnswersNobody) {
  group_.Die();
  EXPECT_EQ(Code(Join(Call())), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Code(Sync("id-1", 1)), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Beat("id-1"), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Commit("id-1"), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Leave({"id-1"}), GroupError::kCoordinatorNotAvailable);
  group_.Revive();
  EXPECT_EQ(Code(Join(Call())), kNone);
}

TEST_F(ConsumerGroupTest, ARestartGivesEachMemberASession) {
  MakeStable(2);
  const GroupSnapshot snapshot = group_.Snapshot();
  ConsumerGroup restored(rules_, snapshot, now_);
  restored.CheckInvariants();
  EXPECT_EQ(restored.state(), GroupState::kStable);
  EXPECT_EQ(restored.Snapshot(), snapshot);
  EXPECT_EQ(restored.NextDeadline(), now_ + seconds(10));
  GroupEffects effects;
  restored.Sync({.who = {"id-2"}, .generation = 2}, 1, now_, effects);
  ASSERT_EQ(effects.syncs.size(), 1u);
  EXPECT_EQ(effects.syncs[0].second.assignment, "a2");
  EXPECT_EQ(restored.Heartbeat({"id-2"}, 2, now_ + seconds(9)), kNone);
  GroupEffects expired;
  restored.Tick(now_ + seconds(10), expired);
  EXPECT_EQ(restored.members(), 1u);
  restored.CheckInvariants();
}

TEST_F(ConsumerGroupTest, AnEmptyGroupGoesOnWithItsGeneration) {
  const ConsumerGroup restored(rules_, {.protocol_type = "consumer", .generation = 41}, now_);
  EXPECT_EQ(restored.state(), GroupState::kEmpty);
  ConsumerGroup last(rules_, {.protocol_type = "consumer", .generation = 2'147'483'647}, now_);
  GroupEffects effects;
  last.Join(Call(), "id", 1, now_, effects);
  ASSERT_EQ(effects.joins.size(), 1u);
  EXPECT_EQ(effects.joins[0].second.generation, 1);  // numbers begin anew
}

TEST_F(ConsumerGroupTest, OnlyAStableGroupShowsWhatItsMembersHave) {
  MakeStable(1);
  EXPECT_EQ(group_.Members()[0].metadata, "m");
  EXPECT_EQ(group_.Members()[0].assignment, "a1");
  Join(Call());
  EXPECT_EQ(group_.Members()[0].metadata, "");
  EXPECT_EQ(group_.Members()[0].assignment, "");
  EXPECT_EQ(group_.Members()[1].client_host, "/host");
}

TEST_F(ConsumerGroupTest, WhichTopicsAreReadIsInTheMetadataOrUnknown) {
  const std::string metadata("\0\1\0\0\0\2\0\1a\0\2bc\xff\xff\xff\xff", 17);
  EXPECT_EQ(SubscribedTopics(metadata), (std::vector<std::string_view>{"a", "bc"}));
  for (std::size_t size = 0; size < 13; ++size) EXPECT_FALSE(SubscribedTopics(metadata.substr(0, size))) << size;
  EXPECT_FALSE(SubscribedTopics(std::string("\0\1\x7f\xff\xff\xff", 6)));
  Join(Call({}, {{"range", metadata}}));
  EXPECT_TRUE(group_.IsSubscribed("bc"));
  EXPECT_FALSE(group_.IsSubscribed("b"));
  Join(Call({}, {{"range", "?"}}));
  EXPECT_TRUE(group_.IsSubscribed("b"));  // it cannot be told
}

}  // namespace
}  // namespace millrace
