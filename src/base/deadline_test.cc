// Goal: no timeout a caller can name overflows, and none becomes shorter than it was meant.
#include "base/deadline.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/mutex.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(DeadlineTest, OrdinaryTimeoutsAreAdded) {
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), milliseconds(1)), nanoseconds(1'000'005));
  EXPECT_EQ(TimeLeft(nanoseconds(1'000'005), nanoseconds(5)), milliseconds(1));
}

TEST(DeadlineTest, WhatNoClockCountsToIsNever) {
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), milliseconds::max()), kNever);
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), nanoseconds::max()), kNever);
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), nanoseconds::max() - nanoseconds(5)), kNever);
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), nanoseconds::max() - nanoseconds(6)), kNever - nanoseconds(1));
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), std::chrono::hours::max()), kNever);
  EXPECT_EQ(TimeLeft(kNever, nanoseconds(5)), kNever);
}

TEST(DeadlineTest, ANegativeTimeoutHasPassed) {
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), milliseconds(-1)), nanoseconds(5));
  EXPECT_EQ(DeadlineAfter(nanoseconds(5), milliseconds::min()), nanoseconds(5));
  EXPECT_EQ(TimeLeft(nanoseconds(4), nanoseconds(5)), nanoseconds(0));
}

TEST(DeadlineTest, AConditionVariableWaitsForTheLongestTime) {
  Mutex mutex;
  CondVar changed;
  bool set = false;
  std::jthread setter([&] {
    MutexLock lock(mutex);
    set = true;
    changed.NotifyAll();
  });
  MutexLock lock(mutex);
  while (!set) EXPECT_TRUE(changed.WaitFor(mutex, nanoseconds::max()));
}

}  // namespace
}  // namespace millrace
