// Goal: a failing store is left alone after repeated failures, probed after a pause, used again on success (B76).
// Method: time by hand.
#include "store/s3/circuit_breaker.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::milliseconds;

class CircuitBreakerTest : public testing::Test {
 protected:
  bool Admits() { return !breaker_.Refusal(now_); }
  void Fail(int times) {
    for (int i = 0; i < times; ++i)
      breaker_.Failed(now_, Error(ErrorCode::kUnavailable, "failure " + std::to_string(++failures_)));
  }
  int failures_ = 0;
  std::chrono::nanoseconds now_{0};
  CircuitBreaker breaker_{{.failures_max = 3, .pause_first = milliseconds(100), .pause_max = milliseconds(300)}};
};

TEST_F(CircuitBreakerTest, OnlyFailuresInARowOpenIt) {
  for (int i = 0; i < 10; ++i) {
    Fail(2);
    EXPECT_TRUE(Admits());
    breaker_.Succeeded();
  }
  Fail(3);
  EXPECT_FALSE(Admits());
  EXPECT_EQ(breaker_.opened(), 1u);
}

TEST_F(CircuitBreakerTest, OneProbeGoesAfterThePauseAndDecides) {
  Fail(3);
  now_ += milliseconds(99);
  const auto refused = breaker_.Refusal(now_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->wait, milliseconds(1));
  EXPECT_EQ(refused->why.message(), "failure 3");  // the last one
  now_ += milliseconds(1);
  EXPECT_TRUE(Admits());
  EXPECT_FALSE(Admits());  // while the probe is under way
  breaker_.Succeeded();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Admits());
}

TEST_F(CircuitBreakerTest, PausesDoubleUpToABound) {
  Fail(3);
  for (const int pause : {100, 200, 300, 300}) {
    now_ += milliseconds(pause - 1);
    EXPECT_FALSE(Admits()) << pause;
    now_ += milliseconds(1);
    EXPECT_TRUE(Admits()) << pause;
    Fail(1);
  }
  now_ += milliseconds(300);
  EXPECT_TRUE(Admits());
  breaker_.Succeeded();
  Fail(3);
  now_ += milliseconds(100);
  EXPECT_TRUE(Admits());  // the first pause again
}

TEST_F(CircuitBreakerTest, AProbeThatNeverEndsHoldsNobodyForEver) {
  Fail(3);
  now_ += milliseconds(100);
  EXPECT_TRUE(Admits());
  now_ += milliseconds(100);
  EXPECT_TRUE(Admits());
}

}  // namespace
}  // namespace millrace
