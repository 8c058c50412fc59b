// Goal: pauses grow, stay in bounds and respect the deadline; all retries together stay within the budget. Method:
// every attempt number with the extreme random values; counting.
#include "base/retry_budget.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, PausesDoubleUpToTheLongestWithinHalfAndWhole) {
  const Backoff backoff{.first = milliseconds(50), .longest = milliseconds(300)};
  const std::vector<int> whole_ms = {50, 100, 200, 300, 300, 300};
  for (unsigned attempt = 1; attempt <= whole_ms.size(); ++attempt) {
    const auto whole = std::chrono::nanoseconds(milliseconds(whole_ms[attempt - 1]));
    for (std::uint64_t random = 0; random < 1000; ++random) {
      const auto pause = backoff.Pause(attempt, random * 0x9e3779b97f4a7c15U);
      ASSERT_GE(pause, whole / 2);
      ASSERT_LE(pause, whole);
    }
    EXPECT_EQ(backoff.Pause(attempt, 0), whole / 2);
  }
  EXPECT_LE(backoff.Pause(std::numeric_limits<unsigned>::max(), 1), milliseconds(300));
}

TEST(BackoffTest, NoPauseReachesTheDeadline) {
  const Backoff backoff{.first = milliseconds(100), .longest = milliseconds(100)};
  EXPECT_EQ(backoff.Pause(1, 0, milliseconds(1000), milliseconds(1051)), milliseconds(50));
  EXPECT_EQ(backoff.Pause(1, 0, milliseconds(1000), milliseconds(1050)), std::nullopt);
  EXPECT_EQ(backoff.Pause(1, 0, milliseconds(1000), std::nullopt), milliseconds(50));
}

TEST(RetryBudgetTest, ABurstThenAShareOfFirstAttempts) {
  RetryBudget budget({.tokens_max = 10, .earn_percent = 20});
  int granted = 0;
  while (budget.TryRetry()) ++granted;
  EXPECT_EQ(granted, 10);
  for (int i = 0; i < 100; ++i) {
    budget.OnFirstAttempt();
    if (budget.TryRetry()) ++granted;
  }
  EXPECT_EQ(granted, 30);
}

TEST(RetryBudgetTest, NeverHoldsMoreThanTheBurst) {
  RetryBudget budget({.tokens_max = 3, .earn_percent = 100});
  for (int i = 0; i < 100; ++i) budget.OnFirstAttempt();
  int granted = 0;
  while (budget.TryRetry()) ++granted;
  EXPECT_EQ(granted, 3);
}

}  // namespace
}  // namespace millrace
