// Nothing expires on the word of a wall clock alone: it is believed up to a day ahead of the time that was kept, else
// after a day of running, or when the operator says so; trusted time never goes back. Method: a simulated clock whose
// wall is set by years.
#include "tier/trusted_time.h"

#include <gtest/gtest.h>

#include "env/sim/sim_clock.h"

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr milliseconds kYear = hours(24 * 365);

class TrustedTimeTest : public testing::Test {
 protected:
  static std::int64_t Ms(milliseconds time) { return time.count(); }

  SimClock clock_;
  TrustedTime time_{clock_};
  const std::int64_t start_ms_ = clock_.WallMs();
};

TEST_F(TrustedTimeTest, AClockWithinADayOfTheKeptTimeIsBelieved) {
  time_.Start(start_ms_ - Ms(hours(24)));
  EXPECT_FALSE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_);
  EXPECT_EQ(time_.CommitMs(), start_ms_);
  time_.Start(std::nullopt);
  EXPECT_FALSE(time_.doubted());
}

TEST_F(TrustedTimeTest, OneFurtherAheadIsDoubtedForADayOfRunning) {
  time_.Start(start_ms_ - Ms(kYear));
  EXPECT_TRUE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_ - Ms(kYear));
  EXPECT_EQ(time_.CommitMs(), 0);
  clock_.Advance(hours(24) - minutes(1));
  EXPECT_TRUE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_ - Ms(kYear) + Ms(hours(24) - minutes(1)));
  clock_.Advance(minutes(1));
  EXPECT_FALSE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), clock_.WallMs());
  EXPECT_EQ(time_.CommitMs(), clock_.WallMs());
}

TEST_F(TrustedTimeTest, OneBehindCountsOnFromTheKeptTime) {
  time_.Start(start_ms_ + Ms(kYear));
  EXPECT_FALSE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_ + Ms(kYear));
  clock_.Advance(hours(1));
  EXPECT_EQ(time_.WallMs(), start_ms_ + Ms(kYear) + Ms(hours(1)));
}

TEST_F(TrustedTimeTest, JumpsWhileRunningMoveNothing) {
  time_.Start(start_ms_);
  for (const milliseconds jump : {10 * kYear, -20 * kYear, 10 * kYear}) {
    clock_.JumpWall(jump);
    EXPECT_EQ(time_.WallMs(), start_ms_);
    EXPECT_EQ(time_.doubted(), clock_.WallMs() > start_ms_ + Ms(kYear));
  }
  clock_.JumpWall(hours(2));  // ahead, and not so far that the operator has to be told
  clock_.Advance(hours(1));
  EXPECT_EQ(time_.WallMs(), start_ms_ + Ms(hours(1)));
  EXPECT_EQ(time_.CommitMs(), 0);
  EXPECT_FALSE(time_.doubted());
}

TEST_F(TrustedTimeTest, AJumpThatIsTakenBackStartsTheDayAnew) {
  time_.Start(start_ms_);
  (void)time_.WallMs();
  clock_.JumpWall(kYear);
  EXPECT_TRUE(time_.doubted());
  clock_.Advance(hours(23));
  clock_.JumpWall(-kYear);
  EXPECT_FALSE(time_.doubted());
  clock_.JumpWall(kYear);
  clock_.Advance(hours(2));
  EXPECT_TRUE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_ + Ms(hours(25)));
}

TEST_F(TrustedTimeTest, SomebodyMayTrustIt) {
  time_.Start(start_ms_ - Ms(kYear));
  time_.Trust();
  EXPECT_FALSE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), clock_.WallMs());
}

TEST_F(TrustedTimeTest, AKeptTimeThatNobodyCanReadIsNoReasonToBelieve) {
  time_.Start(std::nullopt, TrustedTime::Kept::kUnreadable);
  EXPECT_TRUE(time_.doubted());
  EXPECT_EQ(time_.CommitMs(), 0);
  clock_.Advance(hours(24) - milliseconds(1));
  EXPECT_TRUE(time_.doubted());
  EXPECT_FALSE(time_.known());
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(time_.known());
  EXPECT_FALSE(time_.doubted());
  EXPECT_EQ(time_.CommitMs(), clock_.WallMs());
}

TEST_F(TrustedTimeTest, TrustEndsEveryDoubtAndTimeStillGoesForwardOnly) {
  time_.Start(std::nullopt, TrustedTime::Kept::kUnreadable);
  time_.Trust();
  EXPECT_TRUE(time_.known());
  EXPECT_FALSE(time_.doubted());
  clock_.JumpWall(-hours(1));
  time_.Trust();
  EXPECT_EQ(time_.WallMs(), start_ms_);
}

TEST_F(TrustedTimeTest, AJumpAfterTrustHasItsOwnDay) {
  time_.Start(start_ms_ - Ms(kYear));
  clock_.Advance(hours(23));
  time_.Trust();
  clock_.JumpWall(kYear);
  clock_.Advance(hours(2));
  EXPECT_TRUE(time_.doubted());
}

TEST_F(TrustedTimeTest, ANewStartForgetsTheDoubtsBeforeIt) {
  time_.Start(std::nullopt, TrustedTime::Kept::kUnreadable);
  time_.Start(start_ms_);
  EXPECT_TRUE(time_.known());
  clock_.JumpWall(kYear);
  EXPECT_TRUE(time_.doubted());
  clock_.Advance(hours(23));
  time_.Start(start_ms_);  // ahead by a year and a day: its day begins anew
  clock_.Advance(hours(23));
  EXPECT_TRUE(time_.doubted());
  clock_.Advance(hours(1));
  EXPECT_FALSE(time_.doubted());
}

TEST_F(TrustedTimeTest, ACommitKnowsItsTimeWhileTheClockIsNoMoreThanTenMinutesAhead) {
  time_.Start(start_ms_);
  clock_.JumpWall(minutes(10));
  EXPECT_EQ(time_.CommitMs(), start_ms_);
  clock_.JumpWall(milliseconds(1));
  EXPECT_EQ(time_.CommitMs(), 0);
  clock_.JumpWall(hours(24) - minutes(10) - milliseconds(1));
  EXPECT_FALSE(time_.doubted());
  clock_.JumpWall(milliseconds(1));
  EXPECT_TRUE(time_.doubted());
}

TEST_F(TrustedTimeTest, AKeptTimeThatIsTheClocksOwnMovesNothing) {
  time_.Start(start_ms_);
  EXPECT_EQ(time_.WallMs(), start_ms_);
  time_.Start(start_ms_ - Ms(hours(24)) - 1);  // just too far ahead
  EXPECT_TRUE(time_.doubted());
  EXPECT_EQ(time_.WallMs(), start_ms_ - Ms(hours(24)) - 1);
}

}  // namespace
}  // namespace millrace
