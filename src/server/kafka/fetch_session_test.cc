// Goal: what a session looks at, tells and counts is what its client asked for and no more; which sessions stay and
// which go is what Kafka's rules say. Method: both classes alone; time and ids are the test's.
#include "server/kafka/fetch_session.h"

#include <gtest/gtest.h>

#include <deque>

#include "env/seeded_random.h"
#include "server/kafka/fetch_sessions.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::FetchRequest;
using std::chrono::minutes;
using std::chrono::seconds;
using Numbers = std::vector<std::int32_t>;

/// Requests, and what they view.
class Asks {
 public:
  FetchRequest Of(const std::string& topic, const Numbers& partitions, std::int64_t offset = 0) {
    auto& asked = partitions_.emplace_back();
    for (const std::int32_t partition : partitions)
      asked.push_back({.partition = partition, .fetch_offset = offset, .partition_max_bytes = 1 << 20});
    auto& topics = topics_.emplace_back();
    topics.push_back({.topic = names_.emplace_back(topic), .partitions = asked});
    FetchRequest request;
    request.topics = topics;
    return request;
  }
  FetchRequest Next(std::int32_t id, std::int32_t epoch, const Numbers& partitions = {},
                    const Numbers& forgotten = {}) {
    FetchRequest request = Of("t", partitions);
    request.session_id = id;
    request.session_epoch = epoch;
    auto& gone = gone_.emplace_back();
    gone.push_back({.topic = "t", .partitions = numbers_.emplace_back(forgotten)});
    request.forgotten_topics_data = gone;
    return request;
  }

 private:
  std::deque<std::vector<FetchRequest::Partition>> partitions_;
  std::deque<std::vector<FetchRequest::Topic>> topics_;
  std::deque<std::vector<FetchRequest::ForgottenTopic>> gone_;
  std::deque<Numbers> numbers_;
  std::deque<std::string> names_;
};

Numbers NumbersOf(const std::vector<SessionPartition*>& partitions) {
  Numbers numbers;
  for (const SessionPartition* partition : partitions) numbers.push_back(partition->asked.partition);
  return numbers;
}

class FetchSessionTest : public ::testing::Test {
 protected:
  SessionPartition& At(std::int32_t partition) { return session_.At("t", {}, partition); }

  Asks asks_;
  ByteBudget budget_{1 << 20};
  FetchSession session_{7, TopicsBy::kName, budget_};
};

TEST_F(FetchSessionTest, WhatRestsIsNotLookedAtUntilItWakesOrIsAsked) {
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0, 1, 2, 3}).topics));
  for (const std::int32_t partition : {0, 1, 3}) session_.Rest(At(partition));
  EXPECT_EQ(NumbersOf(session_.Active()), Numbers{2});
  EXPECT_EQ(session_.at_rest(), 3U);
  session_.Wake(At(3));
  session_.Wake(At(3));
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0}, 50).topics));
  EXPECT_EQ(NumbersOf(session_.Active()), (Numbers{0, 2, 3}));
  EXPECT_EQ(At(0).asked.fetch_offset, 50);
  EXPECT_EQ(session_.size(), 4U);
}

TEST_F(FetchSessionTest, WhatWasGivenRecordsGoesBehindTheOthers) {
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0, 1, 2}).topics));
  EXPECT_EQ(NumbersOf(session_.Active()), (Numbers{0, 1, 2}));
  session_.Tell(At(0), {.bytes = 10, .high_watermark = 5});
  session_.Tell(At(1), {.bytes = 0, .high_watermark = 5});
  EXPECT_EQ(NumbersOf(session_.Active()), (Numbers{1, 2, 0}));
  session_.Tell(At(1), {.bytes = 10, .high_watermark = 5});
  EXPECT_EQ(NumbersOf(session_.Active()), (Numbers{2, 0, 1}));
}

TEST_F(FetchSessionTest, TellsWhatIsNewAndNothingElse) {
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0}).topics));
  const FetchSession::Found same{.high_watermark = 5, .log_start = 1};
  EXPECT_TRUE(session_.Tell(At(0), same)) << "the first time";
  EXPECT_FALSE(session_.Tell(At(0), same));
  EXPECT_TRUE(session_.Tell(At(0), {.bytes = 1, .high_watermark = 5, .log_start = 1}));
  EXPECT_TRUE(session_.Tell(At(0), {.high_watermark = 6, .log_start = 1}));
  EXPECT_TRUE(session_.Tell(At(0), {.high_watermark = 6, .log_start = 2}));
  EXPECT_TRUE(session_.Tell(At(0), {.high_watermark = 6, .log_start = 2, .diverging = true}));
  EXPECT_FALSE(session_.Tell(At(0), {.high_watermark = 6, .log_start = 2}));
}

TEST_F(FetchSessionTest, AnErrorIsToldEachTimeAndSoIsItsEnd) {
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0}).topics));
  const FetchSession::Found failed{.high_watermark = 5, .log_start = 1, .failed = true};
  EXPECT_TRUE(session_.Tell(At(0), failed));
  EXPECT_TRUE(session_.Tell(At(0), failed));
  EXPECT_TRUE(session_.Tell(At(0), {.high_watermark = 5, .log_start = 1})) << "the error is over";
  EXPECT_FALSE(session_.Tell(At(0), {.high_watermark = 5, .log_start = 1}));
}

TEST_F(FetchSessionTest, WhatIsForgottenIsGoneAndItsWatchNamedOnce) {
  ASSERT_TRUE(session_.Ask(asks_.Of("t", {0, 1, 2}).topics));
  At(1).watch = 11;
  At(2).watch = 12;
  session_.Rest(At(2));
  session_.Forget(asks_.Next(7, 1, {}, {1, 2, 9}).forgotten_topics_data);
  EXPECT_EQ(NumbersOf(session_.Active()), Numbers{0});
  EXPECT_EQ(session_.size(), 1U);
  EXPECT_EQ(session_.at_rest(), 0U);
  EXPECT_EQ(session_.TakeForgotten(), (std::vector<PartitionWatches::Id>{11, 12}));
  EXPECT_TRUE(session_.TakeForgotten().empty());
  session_.Forget(asks_.Next(7, 1, {}, {0}).forgotten_topics_data);
  EXPECT_EQ(session_.size(), 0U);
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(FetchSessionTest, KeepsWithinTheBudgetAndGivesItBack) {
  ByteBudget small(10 * FetchSession::kPartitionBytes);
  {
    FetchSession session(1, TopicsBy::kName, small);
    ASSERT_TRUE(session.Ask(asks_.Of("t", {0, 1, 2, 3}).topics));
    ASSERT_TRUE(session.Ask(asks_.Of("t", {0, 1, 2, 3}).topics)) << "what it has already needs no room";
    EXPECT_FALSE(session.Ask(asks_.Of("t", {4, 5, 6, 7, 8, 9}).topics));
    EXPECT_EQ(small.taken(), session.bytes());
  }
  EXPECT_EQ(small.taken(), 0U);
}

TEST_F(FetchSessionTest, ASecondFetchSupersedesTheFirstAndOneThatLeftIsLeftAlone) {
  int first = 0, second = 0;
  session_.Enter([&] { ++first; });
  session_.Enter([&] { ++second; });
  EXPECT_EQ(first, 1);
  session_.Leave();
  session_.Enter(nullptr);
  EXPECT_EQ(second, 0);
}

TEST_F(FetchSessionTest, TopicsOfOneNameAndTwoIdsAreTwo) {
  FetchSession session(1, TopicsBy::kId, budget_);
  kafka::Uuid one, other;
  one.bytes[0] = std::byte{1};
  other.bytes[15] = std::byte{1};
  const FetchRequest::Partition asked{.partition = 0};
  const FetchRequest::Topic topics[] = {{.topic_id = one, .partitions = {&asked, 1}},
                                        {.topic_id = other, .partitions = {&asked, 1}}};
  ASSERT_TRUE(session.Ask(topics));
  EXPECT_EQ(session.size(), 2U);
  EXPECT_EQ(session.At({}, other, 0).topic->id, other);
}

class FetchSessionsTest : public ::testing::Test {
 protected:
  std::shared_ptr<FetchSession> Begin(const Numbers& partitions, TurnLoop::Time now,
                                      Privilege privilege = Privilege::kNone) {
    return sessions_.TryBegin(asks_.Of("t", partitions).topics, TopicsBy::kName, privilege, now);
  }
  std::int16_t GoOn(std::int32_t id, std::int32_t epoch, TurnLoop::Time now, TopicsBy by = TopicsBy::kName) {
    return sessions_.GoOn(asks_.Next(id, epoch), by, now).code;
  }
  bool Knows(const std::shared_ptr<FetchSession>& session) {
    return GoOn(session->id(), 1'000'000, seconds(0)) == reply_code::kInvalidFetchSessionEpoch;
  }

  Asks asks_;
  ByteBudget budget_{1 << 20};
  SeededRandom random_{1};
  FetchSessions sessions_{{.sessions_max = 3}, budget_, random_};
};

TEST_F(FetchSessionsTest, EpochsCountRequestsAndAnyOtherIsRefused) {
  const auto session = Begin({0}, seconds(0));
  ASSERT_NE(session, nullptr);
  EXPECT_GT(session->id(), 0);
  EXPECT_EQ(GoOn(session->id(), 2, seconds(1)), reply_code::kInvalidFetchSessionEpoch);
  EXPECT_EQ(GoOn(session->id(), 1, seconds(1)), reply_code::kNone);
  EXPECT_EQ(GoOn(session->id(), 1, seconds(1)), reply_code::kInvalidFetchSessionEpoch) << "sent again";
  EXPECT_EQ(GoOn(session->id(), 2, seconds(1)), reply_code::kNone);
  EXPECT_EQ(GoOn(session->id(), -2, seconds(1)), reply_code::kInvalidFetchSessionEpoch);
  EXPECT_EQ(GoOn(session->id() ^ 1, 1, seconds(1)), reply_code::kFetchSessionIdNotFound);
  EXPECT_EQ(GoOn(0, 1, seconds(1)), reply_code::kFetchSessionIdNotFound);
}

TEST_F(FetchSessionsTest, NamesAndIdsDoNotMix) {
  const auto session = Begin({0}, seconds(0));
  EXPECT_EQ(GoOn(session->id(), 1, seconds(1), TopicsBy::kId), reply_code::kFetchSessionTopicIdError);
  EXPECT_EQ(GoOn(session->id(), 1, seconds(1)), reply_code::kNone) << "the refused one counts for nothing";
}

TEST_F(FetchSessionsTest, ASessionThatFollowsNothingEnds) {
  const auto session = Begin({0, 1}, seconds(0));
  const auto gone = sessions_.GoOn(asks_.Next(session->id(), 1, {}, {0, 1}), TopicsBy::kName, seconds(1));
  EXPECT_EQ(gone.code, reply_code::kNone);
  EXPECT_EQ(gone.session, nullptr);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(FetchSessionsTest, ALargerOneGetsNoRoomFromThoseThatAreYoung) {
  const auto one = Begin({0}, seconds(0)), two = Begin({0}, seconds(0)), three = Begin({0}, seconds(0));
  EXPECT_EQ(Begin({0, 1, 2}, minutes(2)), nullptr);
  EXPECT_EQ(sessions_.size(), 3U);
}

TEST_F(FetchSessionsTest, TheOneThatWasNotUsedLongestMakesRoomAfterTwoMinutes) {
  const auto one = Begin({0, 1}, seconds(0)), two = Begin({0, 1}, seconds(1)), three = Begin({0, 1}, seconds(2));
  ASSERT_EQ(GoOn(one->id(), 1, seconds(3)), 0);
  EXPECT_EQ(Begin({0}, seconds(121)), nullptr) << "to the second: two minutes are not more than two minutes";
  EXPECT_NE(Begin({0}, seconds(122)), nullptr);
  EXPECT_FALSE(Knows(two));
  EXPECT_TRUE(Knows(one));
  EXPECT_TRUE(Knows(three));
}

TEST_F(FetchSessionsTest, ASmallerOneThatHasLastedMakesRoomForALargerOne) {
  const auto small = Begin({0, 1}, seconds(0)), large = Begin({0, 1, 2, 3}, seconds(0));
  const auto young = Begin({0}, minutes(2));
  for (const auto& session : {small, large}) ASSERT_EQ(GoOn(session->id(), 1, seconds(121)), 0);
  EXPECT_EQ(Begin({0, 1}, seconds(122)), nullptr) << "no larger than the smallest";
  EXPECT_NE(Begin({0, 1, 2}, seconds(122)), nullptr);
  EXPECT_FALSE(Knows(small));
  EXPECT_TRUE(Knows(large));
  EXPECT_TRUE(Knows(young)) << "it has not lasted";
}

TEST_F(FetchSessionsTest, AConsumersMakesRoomForThatOfAFollowerAndNotTheReverse) {
  const auto one = Begin({0, 1, 2}, seconds(0)), two = Begin({0, 1}, seconds(0));
  const auto follower = Begin({0}, seconds(0), Privilege::kFollower);
  for (const auto& session : {one, two, follower}) ASSERT_EQ(GoOn(session->id(), 1, seconds(121)), 0);
  EXPECT_NE(Begin({0}, seconds(122), Privilege::kFollower), nullptr);
  EXPECT_FALSE(Knows(two));
  EXPECT_TRUE(Knows(one));
  const auto wide = Begin({0, 1, 2, 3, 4}, seconds(123));
  EXPECT_NE(wide, nullptr);
  EXPECT_FALSE(Knows(one));
  EXPECT_TRUE(Knows(follower)) << "the smallest, and worth more than any consumer's";
}

TEST_F(FetchSessionsTest, TheBudgetIsOneForAllAndTheOldestMakesRoomInIt) {
  ByteBudget small(8 * FetchSession::kPartitionBytes);
  FetchSessions sessions({.sessions_max = 100}, small, random_);
  const auto begin = [&](const Numbers& partitions, TurnLoop::Time now) {
    return sessions.TryBegin(asks_.Of("t", partitions).topics, TopicsBy::kName, Privilege::kNone, now);
  };
  EXPECT_EQ(begin({0, 1, 2, 3, 4, 5, 6, 7, 8}, seconds(0)), nullptr) << "larger than all of it";
  ASSERT_NE(begin({0, 1, 2, 3}, seconds(0)), nullptr);
  EXPECT_EQ(begin({0, 1, 2, 3}, seconds(1)), nullptr);
  EXPECT_NE(begin({0, 1, 2, 3}, seconds(121)), nullptr);
  EXPECT_EQ(sessions.size(), 1U);
}

TEST_F(FetchSessionsTest, OneThatAsksForMoreThanThereIsRoomForEnds) {
  ByteBudget small(4 * FetchSession::kPartitionBytes);
  FetchSessions sessions({.sessions_max = 100}, small, random_);
  auto session = sessions.TryBegin(asks_.Of("t", {0, 1}).topics, TopicsBy::kName, Privilege::kNone, seconds(0));
  ASSERT_NE(session, nullptr);
  const std::int32_t id = session->id();
  session.reset();
  const auto refused = sessions.GoOn(asks_.Next(id, 1, {2, 3, 4, 5}), TopicsBy::kName, seconds(1));
  EXPECT_EQ(refused.code, reply_code::kFetchSessionIdNotFound);
  EXPECT_EQ(refused.session, nullptr);
  EXPECT_EQ(sessions.size(), 0U);
  EXPECT_EQ(small.taken(), 0U);
}

}  // namespace
}  // namespace millrace
