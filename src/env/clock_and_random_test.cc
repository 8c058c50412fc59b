// Goal: time and randomness, real and simulated, behave as their seams say. Method: by example.
#include <gtest/gtest.h>

#include <set>

#include "env/random_id.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/system_clock.h"
#include "env/system_random.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

TEST(SimClockTest, MovesOnlyWhenTold) {
  SimClock clock(5'000);
  const auto before = clock.Monotonic();
  EXPECT_EQ(clock.WallMs(), 5'000);
  clock.Advance(milliseconds(1'500));
  EXPECT_EQ(clock.WallMs(), 6'500);
  EXPECT_EQ(clock.Monotonic() - before, milliseconds(1'500));
}

TEST(SimClockTest, WallJumpsLeaveMonotonicTimeAlone) {
  SimClock clock(5'000);
  const auto before = clock.Monotonic();
  clock.JumpWall(milliseconds(-3'600'000));
  EXPECT_EQ(clock.WallMs(), 5'000 - 3'600'000);
  EXPECT_EQ(clock.Monotonic(), before);
}

TEST(SystemClockTest, IsInThisCenturyAndNeverGoesBack) {
  const SystemClock clock;
  EXPECT_GT(clock.WallMs(), 1'600'000'000'000);
  EXPECT_LT(clock.WallMs(), 4'200'000'000'000);
  auto last = clock.Monotonic();
  for (int i = 0; i < 1000; ++i) {
    const auto now = clock.Monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SeededRandomTest, SeedReplaysAndSeedsDiffer) {
  SeededRandom one(1), again(1), two(2);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto number = one.Next();
    EXPECT_EQ(number, again.Next());
    seen.insert(number);
    seen.insert(two.Next());
  }
  EXPECT_EQ(seen.size(), 2000U);
}

TEST(SeededRandomTest, BelowIsInRangeAndReachesAll) {
  SeededRandom random(3);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Below(7));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(RandomIdTest, IsThirtyTwoDigitsAndNeverRepeats) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(RandomHexId(random));
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(seen.begin()->size(), 32U);
  EXPECT_EQ(seen.begin()->find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace millrace
