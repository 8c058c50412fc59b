// Goal: a slow get is told from a usual one of its size, and the second requests stay under their cap. Method:
// latencies by hand.
#include "store/s3/latency_tracker.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::milliseconds;

TEST(LatencyTrackerTest, ThePercentileFollowsTheLastAnswersOfASize) {
  LatencyTracker tracker;
  for (int i = 0; i < 19; ++i) tracker.Record(1'000, milliseconds(10));
  EXPECT_EQ(tracker.Percentile95(1'000), std::nullopt);  // too few to tell
  tracker.Record(1'000, milliseconds(10));
  EXPECT_EQ(tracker.Percentile95(1'000), milliseconds(10));
  EXPECT_EQ(tracker.Percentile95(2 << 20), std::nullopt);  // nothing is known of larger ones
  for (int i = 1; i <= 200; ++i) tracker.Record(2 << 20, milliseconds(i));
  EXPECT_EQ(tracker.Percentile95(2 << 20), milliseconds(191));
  for (int i = 0; i < 200; ++i) tracker.Record(2 << 20, milliseconds(7));
  EXPECT_EQ(tracker.Percentile95(2 << 20), milliseconds(7));  // the past is forgotten
}

TEST(HedgeBudgetTest, SecondRequestsAreAtMostTheirShare) {
  HedgeBudget budget(5);
  EXPECT_FALSE(budget.TryHedge());
  int hedged = 0;
  for (int i = 0; i < 10'000; ++i) {
    budget.OnRequest();
    hedged += budget.TryHedge();
  }
  EXPECT_EQ(hedged, 500);
  for (int i = 0; i < 10'000; ++i) budget.OnRequest();
  hedged = 0;
  while (budget.TryHedge()) ++hedged;
  EXPECT_EQ(hedged, 32);  // what was saved up is bounded
}

}  // namespace
}  // namespace millrace
