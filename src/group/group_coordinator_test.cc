// Goal: nothing is answered before it is durable; commits that wait share one transaction and each answers for its own;
// groups survive a restart, expire, are deleted, and stay within their budget. Method: over a memory store that counts,
// fails and waits as the test says; a pool of one thread; what it posts runs when the test lets it.
#include "group/group_coordinator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "base/mutex.h"
#include "env/seeded_random.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr GroupError kNone = GroupError::kNone;
constexpr std::int64_t kDayMs = 24 * 3'600'000;

/// Counts transactions, holds them up while it is told to, and fails as many as it is told to.
class MeasuredStore final : public MetadataStore {
 public:
  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    if (fail_reads) return Error(ErrorCode::kUnavailable, "no reads today");
    return store.Get(keys);
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override {
    if (fail_reads) return Error(ErrorCode::kUnavailable, "no reads today");
    return store.Scan(from, to, max);
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override {
    ++commits;
    {
      MutexLock lock(mutex);
      while (held) changed.Wait(mutex);
    }
    if (failures > 0 && failures-- > 0) return Error(ErrorCode::kClosed, "no writes today");
    return store.Commit(expected, writes);
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override {
    return store.Changes(after, max);
  }
  Result<std::int64_t> NowMs() override { return store.NowMs(); }
  Result<void> Close() override { return store.Close(); }

  void Hold(bool hold) {
    MutexLock lock(mutex);
    held = hold;
    changed.NotifyAll();
  }

  MemoryMetadataStore store;
  std::atomic<int> commits{0}, failures{0};
  std::atomic<bool> fail_reads{false};
  Mutex mutex;
  CondVar changed;
  bool held MR_GUARDED_BY(mutex) = false;
};

class GroupCoordinatorTest : public testing::Test {
 protected:
  explicit GroupCoordinatorTest(GroupSettings settings = {.initial_delay = milliseconds(0)})
      : settings_(settings),
        pool_(*ThreadPool::Start({.threads = 1, .queue_max = 1'000})),
        topic_(Catalog(store_.store).CreateTopic("t", {.partitions = 100}, "", 1)->id) {
    Start();
    EXPECT_TRUE(coordinator_->Load());
  }
  ~GroupCoordinatorTest() override {
    store_.Hold(false);
    pool_->Close();
    RunPosted();
  }

  void Start() {
    coordinator_ = std::make_unique<GroupCoordinator>(
        GroupCoordinator::Parts{.metadata = store_,
                                .pool = *pool_,
                                .random = random_,
                                .now = [this] { return now_; },
                                .wall_ms = [this] { return wall_ms_; },
                                .may_expire = [this] { return may_expire_; },
                                .post =
                                    [this](GroupWrites::Task task) {
                                      const MutexLock lock(mutex_);
                                      posted_.push_back(std::move(task));
                                      changed_.NotifyAll();
                                    },
                                .wake_at = [this](GroupTime at) { wake_at_ = at; },
                                .tell = [this](std::string_view line) { told_ += line; }},
        settings_);
  }
  /// Ends this process and begins another on the same store.
  void Restart() {
    Settle();
    Start();
    EXPECT_TRUE(coordinator_->Load());
  }
  bool RunOne() {
    GroupWrites::Task task;
    {
      const MutexLock lock(mutex_);
      if (posted_.empty()) return false;
      task = std::move(posted_.front());
      posted_.pop_front();
    }
    task();
    return true;
  }
  void RunPosted() {
    while (RunOne()) {
    }
  }
  /// Until `done`, waiting for the pool.
  template <class Done>
  void RunUntil(Done done) {
    while (!done()) {
      {
        const MutexLock lock(mutex_);
        while (posted_.empty()) ASSERT_TRUE(changed_.WaitFor(mutex_, seconds(20))) << "nothing comes any more";
      }
      RunOne();
    }
  }
  /// Until everything that was asked of the store is answered.
  void Settle() {
    bool done = false;
    coordinator_->List([&](const auto&) { done = true; });
    RunUntil([&] { return done; });
  }
  void Advance(GroupTime by) {
    const GroupTime end = now_ + by;
    while (wake_at_ && *wake_at_ <= end) {
      now_ = std::max(now_, *std::exchange(wake_at_, {}));
      coordinator_->Tick();
      Settle();
    }
    now_ = end;
  }

  static JoinCall Call(std::string member = {}) {
    return {.who = {.member = std::move(member)},
            .client_id = "client",
            .client_host = "/host",
            .protocol_type = "consumer",
            .protocols = {{"range", "metadata"}},
            .session_timeout = seconds(10),
            .rebalance_timeout = seconds(60)};
  }
  JoinAnswer Join(const std::string& group, const JoinCall& call) {
    std::optional<JoinAnswer> answer;
    coordinator_->Join(group, call, [&](JoinAnswer given) { answer = std::move(given); });
    RunUntil([&] { return answer.has_value(); });
    return answer.value_or(JoinAnswer{});
  }
  SyncAnswer Sync(const std::string& group, const SyncCall& call) {
    std::optional<SyncAnswer> answer;
    coordinator_->Sync(group, call, [&](SyncAnswer given) { answer = std::move(given); });
    RunUntil([&] { return answer.has_value(); });
    return answer.value_or(SyncAnswer{});
  }
  /// A group of one, Stable; its member.
  std::string MakeStable(const std::string& group) {
    const JoinAnswer joined = Join(group, Call());
    EXPECT_EQ(joined.error, kNone);
    const SyncAnswer synced =
        Sync(group,
             {.who = {joined.member}, .generation = joined.generation, .assignments = {{joined.member, "all of it"}}});
    EXPECT_EQ(synced.error, kNone);
    EXPECT_EQ(synced.assignment, "all of it");
    return joined.member;
  }
  PositionRow Position(const std::string& group, std::int64_t at, std::int32_t partition = 0) const {
    return {.key = {group, {topic_, PartitionId(partition)}},
            .position = Offset(at),
            .leader_epoch = LeaderEpoch(3),
            .metadata = "text"};
  }
  GroupError Commit(const std::string& group, std::vector<PositionRow> positions, const std::string& member = {},
                    std::int32_t generation = -1) {
    std::optional<GroupError> answer;
    coordinator_->Commit(group, {member}, generation, std::move(positions), [&](GroupError given) { answer = given; });
    RunUntil([&] { return answer.has_value(); });
    return answer.value_or(GroupError::kUnknownServerError);
  }
  std::vector<PositionRow> Fetch(const std::string& group,
                                 std::optional<std::vector<PartitionKey>> partitions = std::nullopt) {
    std::optional<std::vector<PositionRow>> answer;
    coordinator_->Fetch(group, std::move(partitions), [&](GroupCoordinator::Positions given) {
      EXPECT_TRUE(given);
      answer = given.value_or(std::vector<PositionRow>());
    });
    RunUntil([&] { return answer.has_value(); });
    return *answer;
  }
  GroupDescription Describe(const std::string& group) {
    std::optional<GroupDescription> answer;
    coordinator_->Describe(group, [&](GroupDescription given) { answer = std::move(given); });
    RunUntil([&] { return answer.has_value(); });
    return *answer;
  }
  GroupError Delete(const std::string& group) {
    std::optional<GroupError> answer;
    coordinator_->Delete(group, [&](GroupError given) { answer = given; });
    RunUntil([&] { return answer.has_value(); });
    return *answer;
  }
  std::string List() {
    std::string names;
    bool done = false;
    coordinator_->List([&](const Result<std::vector<GroupListing>>& listing) {
      for (const GroupListing& each : *listing)
        names += each.name + ":" + each.protocol_type + ":" + std::string(GroupStateName(each.state)) + " ";
      done = true;
    });
    RunUntil([&] { return done; });
    return names;
  }

  const GroupSettings settings_;
  MeasuredStore store_;
  std::unique_ptr<ThreadPool> pool_;
  SeededRandom random_{1};
  TopicId topic_;
  GroupTime now_ = seconds(1'000);
  std::int64_t wall_ms_ = 100 * kDayMs;
  bool may_expire_ = true;
  std::optional<GroupTime> wake_at_;
  std::string told_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<GroupWrites::Task> posted_ MR_GUARDED_BY(mutex_);
  std::unique_ptr<GroupCoordinator> coordinator_;
};

TEST_F(GroupCoordinatorTest, NoSyncIsAnsweredBeforeItsAssignmentIsDurable) {
  const JoinAnswer joined = Join("g", Call());
  store_.Hold(true);
  bool answered = false;
  const GroupTicket ticket = coordinator_->Sync(
      "g", {.who = {joined.member}, .generation = 1, .assignments = {{joined.member, "a"}}}, [&](const SyncAnswer&) {
        answered = true;
        EXPECT_EQ(GroupCatalog(store_.store).Groups()->at(0).members.at(0).assignment, "a");
      });
  EXPECT_NE(ticket, 0u);
  while (store_.commits == 0) std::this_thread::yield();
  RunPosted();
  EXPECT_FALSE(answered);
  store_.Hold(false);
  RunUntil([&] { return answered; });
}

TEST_F(GroupCoordinatorTest, ACommitIsDurableBeforeItsAnswerAndComesBackAsItWasSent) {
  const std::string member = MakeStable("g");
  EXPECT_EQ(Commit("g", {Position("g", 7)}, member, 1), kNone);
  const auto stored = Catalog(store_.store).Positions("g");
  ASSERT_EQ(stored->size(), 1u);
  EXPECT_EQ(stored->at(0).position, Offset(7));
  EXPECT_EQ(stored->at(0).metadata, "text");
  EXPECT_EQ(stored->at(0).leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(stored->at(0).committed_ms, wall_ms_);
  EXPECT_EQ(Fetch("g"), *stored);
  EXPECT_EQ(Fetch("g", std::vector<PartitionKey>{{topic_, PartitionId(0)}, {topic_, PartitionId(1)}}), *stored);
  EXPECT_TRUE(Fetch("other").empty());
}

TEST_F(GroupCoordinatorTest, CommitsThatWaitGoTogether) {
  store_.Hold(true);
  int answered = 0;
  const auto commit = [&](int i) {
    const std::string group = "g" + std::to_string(i);
    coordinator_->Commit(group, {}, -1, {Position(group, i)}, [&](GroupError error) {
      EXPECT_EQ(error, kNone);
      ++answered;
    });
  };
  commit(0);
  while (store_.commits == 0) std::this_thread::yield();
  for (int i = 1; i <= 100; ++i) commit(i);
  store_.Hold(false);
  RunUntil([&] { return answered == 101; });
  EXPECT_EQ(store_.commits, 2);
  EXPECT_EQ(Fetch("g100").at(0).position, Offset(100));
}

TEST_F(GroupCoordinatorTest, OneThatSpoilsATransactionSpoilsNoOther) {
  store_.Hold(true);
  std::vector<GroupError> answers(3, GroupError::kUnknownServerError);
  int answered = 0;
  const auto commit = [&](std::size_t i, PositionRow row) {
    coordinator_->Commit(row.key.group, {}, -1, {row}, [&, i](GroupError error) {
      answers[i] = error;
      ++answered;
    });
  };
  commit(0, Position("first", 1));
  while (store_.commits == 0) std::this_thread::yield();
  commit(1, Position("good", 2));
  commit(2, Position("bad", 2, 5'000));  // no such partition
  store_.Hold(false);
  RunUntil([&] { return answered == 3; });
  EXPECT_EQ(answers, (std::vector{kNone, kNone, GroupError::kCoordinatorNotAvailable}));
  EXPECT_EQ(Fetch("good").size(), 1u);
}

TEST_F(GroupCoordinatorTest, AFetchSeesEveryCommitThatCameBeforeIt) {
  const std::string member = MakeStable("g");
  store_.Hold(true);
  bool committed = false;
  coordinator_->Commit("g", {member}, 1, {Position("g", 41)}, [&](GroupError) { committed = true; });
  std::optional<Offset> seen;
  coordinator_->Fetch("g", std::nullopt,
                      [&](const GroupCoordinator::Positions& found) { seen = found->at(0).position; });
  store_.Hold(false);
  RunUntil([&] { return seen.has_value(); });
  EXPECT_TRUE(committed);
  EXPECT_EQ(seen, Offset(41));
}

TEST_F(GroupCoordinatorTest, ACommitThatFailsIsNotAcknowledged) {
  store_.failures = 1;
  EXPECT_EQ(Commit("g", {Position("g", 7)}), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Commit("g", {Position("g", 7)}), kNone);
}

TEST_F(GroupCoordinatorTest, AnAssignmentThatCannotBeStoredIsToldAndTriedAgain) {
  const JoinAnswer joined = Join("g", Call());
  store_.failures = 1;
  EXPECT_EQ(Sync("g", {.who = {joined.member}, .generation = 1, .assignments = {{joined.member, "a"}}}).error,
            GroupError::kCoordinatorNotAvailable);
  EXPECT_NE(told_.find("group g could not be stored"), std::string::npos);
  EXPECT_EQ(Join("g", Call(joined.member)).generation, 2);
}

TEST_F(GroupCoordinatorTest, AGroupSurvivesARestartAndItsMembersHaveASession) {
  const std::string member = MakeStable("g");
  EXPECT_EQ(Commit("g", {Position("g", 7)}, member, 1), kNone);
  Restart();
  EXPECT_EQ(coordinator_->Heartbeat("g", {member}, 1), kNone);
  EXPECT_EQ(Describe("g").members.at(0).assignment, "all of it");
  EXPECT_EQ(Describe("g").members.at(0).client_host, "/host");
  EXPECT_EQ(Sync("g", {.who = {member}, .generation = 1}).assignment, "all of it");
  EXPECT_EQ(Commit("g", {Position("g", 8)}, member, 1), kNone);
  Advance(seconds(11));
  EXPECT_EQ(Describe("g").state, GroupState::kEmpty);
  Restart();
  EXPECT_EQ(Describe("g").state, GroupState::kEmpty);
  EXPECT_EQ(Join("g", Call()).generation, 3);  // 2 was the empty one
  EXPECT_EQ(Fetch("g").at(0).position, Offset(8));
}

TEST_F(GroupCoordinatorTest, BeforeItsGroupsAreReadItSaysSoAndTriesAgain) {
  MakeStable("g");
  store_.fail_reads = true;
  Start();
  EXPECT_FALSE(coordinator_->Load());
  EXPECT_EQ(Join("g", Call()).error, GroupError::kCoordinatorLoading);
  EXPECT_EQ(coordinator_->Heartbeat("g", {"m"}, 1), GroupError::kCoordinatorLoading);
  EXPECT_EQ(Commit("g", {Position("g", 1)}), GroupError::kCoordinatorLoading);
  EXPECT_EQ(Describe("g").error, GroupError::kCoordinatorLoading);
  EXPECT_EQ(Delete("g"), GroupError::kCoordinatorLoading);
  Advance(seconds(6));
  EXPECT_NE(told_.find("groups cannot be read yet"), std::string::npos);
  store_.fail_reads = false;
  Advance(seconds(6));
  EXPECT_EQ(Describe("g").state, GroupState::kStable);
}

TEST_F(GroupCoordinatorTest, GroupsAreListedWithThoseThatAreNamesOfPositions) {
  MakeStable("b");
  const PositionRow library{{"a", {topic_, PartitionId(0)}}, Offset(5)};
  ASSERT_TRUE(Catalog(store_.store).CommitPositions({&library, 1}));
  EXPECT_EQ(List(), "a::Empty b:consumer:Stable ");
  EXPECT_EQ(Describe("a").state, GroupState::kEmpty);
  EXPECT_EQ(Describe("none").state, GroupState::kDead);
}

TEST_F(GroupCoordinatorTest, OnlyAGroupWithoutMembersIsDeletedAndThenAllOfIt) {
  const std::string member = MakeStable("g");
  EXPECT_EQ(Commit("g", {Position("g", 7)}, member, 1), kNone);
  EXPECT_EQ(Delete("g"), GroupError::kNonEmptyGroup);
  EXPECT_EQ(coordinator_->Leave("g", {{member}}), std::vector{kNone});
  EXPECT_EQ(Delete("g"), kNone);
  EXPECT_EQ(Delete("g"), GroupError::kGroupIdNotFound);
  EXPECT_TRUE(Fetch("g").empty());
  EXPECT_TRUE(GroupCatalog(store_.store).Groups()->empty());
  EXPECT_EQ(Join("g", Call()).generation, 1);
}

TEST_F(GroupCoordinatorTest, WhileAGroupIsDeletedNobodyJoinsOrCommitsAndIfThatFailsItIsThere) {
  EXPECT_EQ(Commit("g", {Position("g", 7)}), kNone);
  store_.failures = 1;
  std::optional<GroupError> deleted;
  coordinator_->Delete("g", [&](GroupError error) { deleted = error; });
  EXPECT_EQ(Join("g", Call()).error, GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Commit("g", {Position("g", 8)}), GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Delete("g"), GroupError::kCoordinatorNotAvailable);
  RunUntil([&] { return deleted.has_value(); });
  EXPECT_EQ(deleted, GroupError::kCoordinatorNotAvailable);
  EXPECT_EQ(Fetch("g").size(), 1u);
  EXPECT_EQ(Delete("g"), kNone);
}

TEST_F(GroupCoordinatorTest, PositionsAreForgottenUnlessTheirTopicIsRead) {
  const std::string metadata("\0\1\0\0\0\1\0\1t\xff\xff\xff\xff", 13);
  JoinCall call = Call();
  call.protocols = {{"range", metadata}};
  const JoinAnswer joined = Join("g", call);
  Sync("g", {.who = {joined.member}, .generation = 1, .assignments = {{joined.member, "a"}}});
  EXPECT_EQ(Commit("g", {Position("g", 7), Position("g", 7, 1)}, joined.member, 1), kNone);
  const auto forget = [&](const std::string& group, std::int32_t partition, const std::string& topic) {
    std::optional<GroupCoordinator::ForgetAnswer> answer;
    coordinator_->Forget(group, {{topic, {{topic_, PartitionId(partition)}}}},
                         [&](GroupCoordinator::ForgetAnswer given) { answer = std::move(given); });
    RunUntil([&] { return answer.has_value(); });
    return *answer;
  };
  EXPECT_EQ(forget("g", 0, "t").topics.at(0), GroupCoordinator::Forgotten::kSubscribed);
  EXPECT_EQ(Fetch("g").size(), 2u);
  EXPECT_EQ(forget("g", 0, "unread").topics.at(0), GroupCoordinator::Forgotten::kYes);
  EXPECT_EQ(Fetch("g").size(), 1u);
  coordinator_->Leave("g", {{joined.member}});
  EXPECT_EQ(forget("g", 1, "t").topics.at(0), GroupCoordinator::Forgotten::kYes);
  EXPECT_TRUE(Fetch("g").empty());
  EXPECT_EQ(forget("none", 1, "t").error, GroupError::kGroupIdNotFound);
  JoinCall connect = Call();
  connect.protocol_type = "connect";
  Join("c", connect);
  EXPECT_EQ(forget("c", 1, "t").error, GroupError::kNonEmptyGroup);
}

TEST_F(GroupCoordinatorTest, AGroupExpiresAWeekAfterItIsEmptyAndNothingElseDoes) {
  const std::string member = MakeStable("busy");
  const std::string gone = MakeStable("gone");
  EXPECT_EQ(Commit("busy", {Position("busy", 7)}, member, 1), kNone);
  EXPECT_EQ(Commit("gone", {Position("gone", 7)}, gone, 1), kNone);
  EXPECT_EQ(Commit("by hand", {Position("by hand", 7)}), kNone);
  const PositionRow library{{"library", {topic_, PartitionId(0)}}, Offset(5)};
  ASSERT_TRUE(Catalog(store_.store).CommitPositions({&library, 1}));
  wall_ms_ += 3 * kDayMs;
  coordinator_->Leave("gone", {{gone}});
  const auto sweep = [&] {
    for (int i = 0; i < 130; ++i) {  // ten minutes and more, in which the member lives
      Advance(seconds(5));
      EXPECT_EQ(coordinator_->Heartbeat("busy", {member}, 1), kNone);
    }
  };
  wall_ms_ += 4 * kDayMs;
  sweep();
  EXPECT_EQ(List(), "busy:consumer:Stable gone:consumer:Empty library::Empty ");
  wall_ms_ += 2 * kDayMs;
  sweep();
  EXPECT_EQ(List(), "busy:consumer:Stable gone:consumer:Empty library::Empty ");
  may_expire_ = false;
  wall_ms_ += kDayMs;
  sweep();
  EXPECT_EQ(Fetch("gone").size(), 1u);  // who knows what time it is
  may_expire_ = true;
  sweep();
  EXPECT_EQ(List(), "busy:consumer:Stable library::Empty ");
  EXPECT_EQ(Fetch("busy").size(), 1u);
  EXPECT_TRUE(Fetch("gone").empty());
  EXPECT_EQ(GroupCatalog(store_.store).Groups()->size(), 1u);
}

TEST_F(GroupCoordinatorTest, AGroupThatNobodyCameToTakesNoRoom) {
  JoinCall call = Call();
  call.takes_member_id = true;
  EXPECT_EQ(Join("g", call).error, GroupError::kMemberIdRequired);
  EXPECT_EQ(coordinator_->groups(), 1u);
  EXPECT_GT(coordinator_->bytes(), 0u);
  Advance(seconds(11));
  EXPECT_EQ(coordinator_->groups(), 0u);
  EXPECT_EQ(coordinator_->bytes(), 0u);
  EXPECT_EQ(Join("other", Call("stranger")).error, GroupError::kUnknownMember);
  EXPECT_EQ(coordinator_->groups(), 0u);
}

TEST_F(GroupCoordinatorTest, AWaitThatIsCancelledIsNotAnsweredAndHoldsNothing) {
  MakeStable("g");
  auto held = std::make_shared<int>(1);
  const GroupTicket ticket =
      coordinator_->Join("g", Call(), [held](const JoinAnswer&) { ADD_FAILURE() << "it was cancelled"; });
  EXPECT_NE(ticket, 0u);
  EXPECT_EQ(coordinator_->parked(), 1u);
  coordinator_->Cancel(ticket);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(coordinator_->parked(), 0u);
  Advance(seconds(120));
}

TEST_F(GroupCoordinatorTest, WhatCannotBeAGroupOrASessionIsRefused) {
  EXPECT_EQ(Join("", Call()).error, GroupError::kInvalidGroupId);
  EXPECT_EQ(Join(std::string(250, 'g'), Call()).error, GroupError::kInvalidGroupId);
  EXPECT_EQ(Join("a\nb", Call()).error, GroupError::kInvalidGroupId);
  JoinCall call = Call();
  call.session_timeout = milliseconds(5'999);
  EXPECT_EQ(Join("g", call).error, GroupError::kInvalidSessionTimeout);
  call.session_timeout = milliseconds(30 * 60'000 + 1);
  EXPECT_EQ(Join("g", call).error, GroupError::kInvalidSessionTimeout);
  EXPECT_EQ(Commit("g", {Position("g", 1)}, "m", 4), GroupError::kIllegalGeneration);
  EXPECT_EQ(coordinator_->Leave("g", {{"m"}}), std::vector{GroupError::kUnknownMember});
  EXPECT_EQ(Sync("g", {.who = {"m"}, .generation = 1}).error, GroupError::kUnknownMember);
}

TEST_F(GroupCoordinatorTest, APoolThatIsClosedEndsWhatWaits) {
  pool_->Close();
  EXPECT_EQ(Commit("g", {Position("g", 1)}), GroupError::kCoordinatorNotAvailable);
}

class BoundedGroupsTest : public GroupCoordinatorTest {
 protected:
  BoundedGroupsTest()
      : GroupCoordinatorTest({.initial_delay = milliseconds(0),
                              .groups_max = 2,
                              .member_bytes_max = 2'000,
                              .bytes_max = 5'000,
                              .commits_max = 3}) {}
};

TEST_F(BoundedGroupsTest, GroupsMembersAndBytesAreBounded) {
  JoinCall large = Call();
  large.protocols = {{"range", std::string(2'000, 'x')}};
  EXPECT_EQ(Join("a", large).error, GroupError::kGroupFull);
  large.protocols = {{"range", std::string(1'000, 'x')}};
  const JoinAnswer a = Join("a", large), b = Join("b", large);
  EXPECT_EQ(a.error, kNone);
  EXPECT_EQ(b.error, kNone);
  EXPECT_EQ(Join("c", Call()).error, GroupError::kCoordinatorNotAvailable);  // a third group
  EXPECT_EQ(Sync("a", {.who = {a.member}, .generation = 1, .assignments = {{a.member, std::string(2'001, 'x')}}}).error,
            GroupError::kUnknownServerError);
  EXPECT_EQ(Sync("a", {.who = {a.member}, .generation = 1, .assignments = {{a.member, std::string(2'000, 'x')}}}).error,
            GroupError::kCoordinatorNotAvailable);
  coordinator_->Leave("b", {{b.member}});
  EXPECT_EQ(Sync("a", {.who = {a.member}, .generation = 1, .assignments = {{a.member, std::string(1'900, 'x')}}}).error,
            kNone);
  coordinator_->Leave("a", {{a.member}});
  EXPECT_EQ(coordinator_->bytes(), 0u);
}

TEST_F(BoundedGroupsTest, CommitsThatWaitAreBounded) {
  store_.Hold(true);
  int refused = 0, taken = 0;
  for (int i = 0; i < 5; ++i) {
    coordinator_->Commit("g", {}, -1, {Position("g", i)},
                         [&](GroupError error) { ++(error == kNone ? taken : refused); });
  }
  EXPECT_EQ(refused, 2);
  store_.Hold(false);
  RunUntil([&] { return taken == 3; });
}

}  // namespace
}  // namespace millrace
