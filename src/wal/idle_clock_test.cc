// Goal: what is due by the clock is due once its time has come and not before, and a call to the sleeping owner of the
// steps is neither lost nor made twice. Method: the clock of the steps alone, with plain numbers for the time.
#include "wal/idle_clock.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::milliseconds;
using Due = IdleClock::Due;
using Leader = IdleClock::Leader;

constexpr IdleClock::Waiting kNothing{};
constexpr IdleClock::Waiting kForQuiet{.for_quiet = true};
constexpr IdleClock::Waiting kUnsynced{.unsynced = true};
constexpr IdleClock::Waiting kForFile{.for_file = true};

TEST(IdleClockTest, QuietIsDueTenMillisecondsAfterTheLookThatSawTheLastNewFrame) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_EQ(clock.Look(milliseconds(100), kForQuiet, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.NextDue(milliseconds(100), kForQuiet, Leader::kNone), milliseconds(110));
  EXPECT_EQ(clock.Look(milliseconds(109), kForQuiet, 1, Leader::kNone), Due::kNothing);
  EXPECT_FALSE(clock.IsQuiet(milliseconds(109)));
  EXPECT_EQ(clock.Look(milliseconds(110), kForQuiet, 1, Leader::kNone), Due::kQuiet);
  EXPECT_TRUE(clock.IsQuiet(milliseconds(110)));
}

TEST(IdleClockTest, ANewFrameBeginsTheQuietTimeAnew) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_EQ(clock.Look(milliseconds(100), kForQuiet, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(110), kForQuiet, 2, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(119), kForQuiet, 2, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(120), kForQuiet, 2, Leader::kNone), Due::kQuiet);
}

TEST(IdleClockTest, TheLogsOwnMarkIsNoNewFrame) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_EQ(clock.Look(milliseconds(100), kForQuiet, 1, Leader::kNone), Due::kNothing);
  clock.OnMark(2);
  EXPECT_EQ(clock.Look(milliseconds(110), kForQuiet, 2, Leader::kNone), Due::kQuiet);
}

TEST(IdleClockTest, ALeaderAtWorkBeginsTheQuietTimeAnew) {
  IdleClock clock(SyncPolicy::Interval(milliseconds(5)));
  EXPECT_EQ(clock.Look(milliseconds(100), kForQuiet, 0, Leader::kNone), Due::kQuiet);
  EXPECT_EQ(clock.Look(milliseconds(101), {.for_quiet = true, .unsynced = true}, 0, Leader::kAtWork), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(110), kForQuiet, 0, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(111), kForQuiet, 0, Leader::kNone), Due::kQuiet);
}

TEST(IdleClockTest, AnIntervalSyncsWhatIsUnsyncedWhenTheLastSyncIsSoLongAgo) {
  IdleClock clock(SyncPolicy::Interval(milliseconds(50)));
  clock.OnSynced(milliseconds(100));
  EXPECT_EQ(clock.Look(milliseconds(149), kUnsynced, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.NextDue(milliseconds(149), kUnsynced, Leader::kNone), milliseconds(150));
  EXPECT_EQ(clock.Look(milliseconds(150), kNothing, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.Look(milliseconds(150), kUnsynced, 1, Leader::kNone), Due::kSync);
  clock.OnSynced(milliseconds(151));
  EXPECT_EQ(clock.Look(milliseconds(152), kUnsynced, 1, Leader::kNone), Due::kNothing);
}

TEST(IdleClockTest, AnIntervalGoesBeforeTheQuietTimeAndTheEarlierOfThemIsNext) {
  IdleClock clock(SyncPolicy::Interval(milliseconds(5)));
  const IdleClock::Waiting both{.for_quiet = true, .unsynced = true};
  clock.OnSynced(milliseconds(100));
  EXPECT_EQ(clock.Look(milliseconds(101), both, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.NextDue(milliseconds(101), both, Leader::kNone), milliseconds(105));
  EXPECT_EQ(clock.Look(milliseconds(111), both, 1, Leader::kNone), Due::kSync);
  clock.OnSynced(milliseconds(111));
  EXPECT_EQ(clock.NextDue(milliseconds(111), both, Leader::kNone), milliseconds(111));
  EXPECT_EQ(clock.Look(milliseconds(111), both, 1, Leader::kNone), Due::kQuiet);
}

TEST(IdleClockTest, WithoutAnIntervalNothingIsSyncedByTheClock) {
  for (const SyncPolicy& sync : {SyncPolicy::Each(), SyncPolicy::None()}) {
    IdleClock clock(sync);
    EXPECT_EQ(clock.Look(milliseconds(1000), kUnsynced, 1, Leader::kNone), Due::kNothing);
    EXPECT_FALSE(clock.NextDue(milliseconds(1000), kUnsynced, Leader::kNone));
    EXPECT_FALSE(clock.armed());
  }
}

TEST(IdleClockTest, WhileALeaderIsHeldUpAnOverdueSyncIsLookedForEveryTenMilliseconds) {
  IdleClock clock(SyncPolicy::Interval(milliseconds(50)));
  EXPECT_EQ(clock.Look(milliseconds(200), kUnsynced, 1, Leader::kAtWork), Due::kNothing);
  EXPECT_EQ(clock.NextDue(milliseconds(200), kUnsynced, Leader::kNone), milliseconds(50));
  EXPECT_EQ(clock.NextDue(milliseconds(200), kUnsynced, Leader::kAtWork), milliseconds(210));
}

TEST(IdleClockTest, AnIntervalThatNoClockCountsToIsNeverDue) {
  IdleClock clock(SyncPolicy::Interval(milliseconds::max()));
  EXPECT_EQ(clock.Look(milliseconds(200), kUnsynced, 1, Leader::kNone), Due::kNothing);
  EXPECT_EQ(clock.NextDue(milliseconds(200), kUnsynced, Leader::kNone), std::chrono::nanoseconds::max());
}

TEST(IdleClockTest, WhatWaitsWithoutAnAlarmIsDueAtOnceUntilTheNextLook) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_FALSE(clock.LacksAlarm(kNothing));
  EXPECT_FALSE(clock.NextDue(milliseconds(100), kNothing, Leader::kNone));
  EXPECT_TRUE(clock.LacksAlarm(kForQuiet));
  EXPECT_EQ(clock.NextDue(milliseconds(100), kForQuiet, Leader::kNone), milliseconds(100));
  EXPECT_EQ(clock.Look(milliseconds(100), kForQuiet, 1, Leader::kNone), Due::kNothing);
  EXPECT_TRUE(clock.armed());
  EXPECT_FALSE(clock.LacksAlarm(kForQuiet));
  EXPECT_EQ(clock.Look(milliseconds(101), kNothing, 1, Leader::kNone), Due::kNothing);
  EXPECT_FALSE(clock.armed());
}

TEST(IdleClockTest, AFileThatCouldNotBeMadeIsTriedAgainAfterAWhile) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_TRUE(clock.MayBuild(milliseconds(0)));
  EXPECT_FALSE(clock.NextDue(milliseconds(0), kForFile, Leader::kNone));
  clock.OnBuildFailed(milliseconds(100));
  EXPECT_FALSE(clock.MayBuild(milliseconds(299)));
  EXPECT_TRUE(clock.MayBuild(milliseconds(300)));
  EXPECT_EQ(clock.NextDue(milliseconds(100), kForFile, Leader::kNone), milliseconds(300));
  EXPECT_FALSE(clock.NextDue(milliseconds(100), kNothing, Leader::kNone));
  clock.OnBuilt();
  EXPECT_TRUE(clock.MayBuild(milliseconds(101)));
  EXPECT_FALSE(clock.NextDue(milliseconds(101), kForFile, Leader::kNone));
}

TEST(IdleClockTest, ASleeperIsCalledOnceUntilHeGetsUp) {
  IdleClock clock(SyncPolicy::Each());
  EXPECT_FALSE(clock.CallSleeper());
  EXPECT_FALSE(clock.called());
  clock.BeginSleep();
  EXPECT_TRUE(clock.asleep());
  EXPECT_TRUE(clock.CallSleeper());
  EXPECT_TRUE(clock.called());
  EXPECT_FALSE(clock.CallSleeper());
  clock.EndSleep();
  EXPECT_FALSE(clock.asleep());
  EXPECT_FALSE(clock.called());
  clock.BeginSleep();
  EXPECT_TRUE(clock.CallSleeper());
}

TEST(IdleClockTest, ACallBetweenTwoSleepsEndsTheSecondOne) {
  IdleClock clock(SyncPolicy::Each());
  clock.BeginSleep();
  clock.EndSleep();
  clock.Call();
  clock.BeginSleep();
  EXPECT_TRUE(clock.called());
  clock.EndSleep();
  EXPECT_FALSE(clock.called());
}

}  // namespace
}  // namespace millrace
