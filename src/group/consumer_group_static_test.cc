// Goal: static members (KIP-345) as docs/groups.md has them. Method: as consumer_group_test.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "group/consumer_group_fixture.h"

namespace millrace {
namespace {

class StaticMembersTest : public ConsumerGroupTest {
 protected:
  void MakeStaticStable() {
    const GroupTicket first = Join(Static("one"));
    Join(Static("two"));
    EXPECT_FALSE(Waits(first));
    Join(Static("one", "id-1"));
    Complete(2);
  }
};

TEST_F(StaticMembersTest, AFollowersNewProcessTakesItsPlaceWithoutARebalance) {
  MakeStaticStable();
  const GroupTicket join = Join(Static("two"));
  EXPECT_TRUE(Waits(join));  // until it is durable
  Saved();
  EXPECT_EQ(Joined(join).generation, 2);
  EXPECT_EQ(Joined(join).member, "id-3");
  EXPECT_EQ(group_.state(), GroupState::kStable);
  EXPECT_EQ(Synced(Sync({.who = {"id-3", "two"}, .generation = 2})).assignment, "a2");
  EXPECT_EQ(group_.Heartbeat({"id-2", "two"}, 2, now_), GroupError::kFencedInstance);
  EXPECT_EQ(group_.CheckCommit({"id-2", "two"}, 2, now_), GroupError::kFencedInstance);
  EXPECT_EQ(Code(Join(Static("two", "id-2"))), GroupError::kFencedInstance);
  EXPECT_EQ(Code(Sync({.who = {"id-2", "two"}, .generation = 2})), GroupError::kFencedInstance);
  EXPECT_EQ(Leave({"id-2", "two"}), GroupError::kFencedInstance);
}

TEST_F(StaticMembersTest, ALeadersNewProcessAssignsNothing) {
  MakeStaticStable();
  JoinCall call = Static("one");
  call.skips_assignment = true;
  const GroupTicket modern = Join(call);
  Saved();
  EXPECT_TRUE(Joined(modern).skip_assignment);
  EXPECT_EQ(Joined(modern).leader, "id-3");
  EXPECT_EQ(Joined(modern).members.size(), 2u);
  const GroupTicket old = Join(Static("one"));
  Saved();
  EXPECT_FALSE(Joined(old).skip_assignment);
  EXPECT_EQ(Joined(old).leader, "id-3");  // its predecessor
  EXPECT_EQ(Joined(old).member, "id-4");
  EXPECT_TRUE(Joined(old).members.empty());
  EXPECT_EQ(group_.generation(), 2);
}

TEST_F(StaticMembersTest, ANewProcessWithAnotherProtocolBeginsARebalance) {
  Join(Static("one"));
  Complete(1);
  JoinCall call = Static("one");
  call.protocols = {{"range", ""}, {"sticky", ""}};
  Join(call);
  Saved();
  EXPECT_EQ(group_.state(), GroupState::kStable);  // all still know the group's
  call.protocols = {{"sticky", ""}, {"range", ""}};
  EXPECT_EQ(Joined(Join(call)).protocol, "sticky");
  EXPECT_EQ(group_.generation(), 2);
}

TEST_F(StaticMembersTest, ANewProcessIsAnsweredWithAnErrorIfItsPlaceIsNotDurable) {
  MakeStaticStable();
  const GroupTicket join = Join(Static("two"));
  Saved(false);
  EXPECT_EQ(Code(join), GroupError::kCoordinatorNotAvailable);
}

TEST_F(StaticMembersTest, ANewProcessEndsTheJoinAndSyncOfTheOld) {
  MakeStaticStable();
  const GroupTicket old_join = Join(Static("one", "id-1"));
  EXPECT_TRUE(Waits(old_join));
  const GroupTicket new_join = Join(Static("one"));
  EXPECT_EQ(Code(old_join), GroupError::kFencedInstance);
  const GroupTicket second = Join(Static("two", "id-2"));
  EXPECT_EQ(Joined(new_join).leader, "id-3");
  EXPECT_EQ(Joined(second).generation, 3);
  const GroupTicket old_sync = Sync({.who = {"id-2", "two"}, .generation = 3});
  EXPECT_TRUE(Waits(old_sync));
  const GroupTicket newer = Join(Static("two"));  // Completing: the leader may assign to the old one
  EXPECT_EQ(Code(old_sync), GroupError::kFencedInstance);
  EXPECT_TRUE(Waits(newer));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
}

TEST_F(StaticMembersTest, OneThatDoesNotComeBackStaysUntilItsSessionEnds) {
  MakeStaticStable();
  JoinCall third = Static("three");
  third.rebalance_timeout = seconds(60);
  const GroupTicket join = Join(third);
  for (int i = 0; i < 11; ++i) {
    Advance(seconds(5));
    EXPECT_EQ(group_.Heartbeat({"id-1", "one"}, 2, now_), GroupError::kRebalanceInProgress);
    EXPECT_EQ(group_.Heartbeat({"id-2", "two"}, 2, now_), GroupError::kRebalanceInProgress);
  }
  Advance(seconds(5));
  EXPECT_EQ(Joined(join).leader, "id-3");
  EXPECT_EQ(Joined(join).members.size(), 3u);
  Advance(seconds(10));
  EXPECT_EQ(group_.members(), 0u);  // nobody called any more
}

TEST_F(StaticMembersTest, ARebalanceToWhichNoStaticMemberCameGoesOn) {
  JoinCall call = Static("one");
  call.session_timeout = seconds(1'000);
  Join(call);
  Complete(1);
  JoinCall dynamic = Call();
  dynamic.rebalance_timeout = seconds(1);
  Join(dynamic);
  EXPECT_EQ(Leave({"id-2"}), kNone);
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  Advance(seconds(300));
  EXPECT_EQ(group_.state(), GroupState::kPreparing);
  EXPECT_EQ(group_.members(), 1u);
  EXPECT_EQ(Joined(Join(Static("one", "id-1"))).generation, 2);
}

TEST_F(StaticMembersTest, AfterARestartWhoWasNotDurableYetJoinsAnewAndIsNotFenced) {
  MakeStaticStable();
  ConsumerGroup restored(rules_, group_.Snapshot(), now_);
  EXPECT_EQ(restored.Heartbeat({"id-9", "two"}, 2, now_), GroupError::kUnknownMember);
  EXPECT_EQ(restored.Heartbeat({"id-2", "two"}, 2, now_), kNone);
  EXPECT_EQ(restored.Heartbeat({"id-9", "two"}, 2, now_), GroupError::kFencedInstance);
}

TEST_F(StaticMembersTest, LeavingByInstanceAlone) {
  MakeStaticStable();
  EXPECT_EQ(Leave({"", "two"}), kNone);
  EXPECT_EQ(group_.members(), 1u);
}

}  // namespace
}  // namespace millrace
