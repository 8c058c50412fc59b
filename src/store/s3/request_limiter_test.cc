// Goal: an endpoint that asks for less gets less, of that kind of request only, and gets more again when it is well;
// what no reader waits for gives way (B76). Method: permits taken and given back by hand; threads only where one must
// wait.
#include "store/s3/request_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "env/sim/sim_clock.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

using enum RequestLimiter::Outcome;

class RequestLimiterTest : public testing::Test {
 protected:
  std::vector<RequestLimiter::Permit> Take(int count, RequestKind kind = RequestKind::kGet) {
    std::vector<RequestLimiter::Permit> permits;
    for (int i = 0; i < count; ++i) permits.push_back(*limiter_.Acquire(kind, Urgency::kForeground, clock_));
    return permits;
  }
  SimClock clock_;
  RequestLimiter limiter_{{.limit_first = 16, .limit_min = 1, .limit_max = 20}};
};

TEST_F(RequestLimiterTest, AWaveOfRefusalsHalvesOnceAndOnlyItsKind) {
  for (const auto& permit : Take(10)) limiter_.Release(permit, kThrottled);
  EXPECT_EQ(limiter_.limit(RequestKind::kGet), 8);
  EXPECT_EQ(limiter_.limit(RequestKind::kPut), 16);
  EXPECT_EQ(limiter_.throttled(), 10u);
  for (int i = 0; i < 10; ++i) limiter_.Release(Take(1).front(), kThrottled);
  EXPECT_EQ(limiter_.limit(RequestKind::kGet), 1);  // never none
}

TEST_F(RequestLimiterTest, ItGrowsByOneARoundWhileItIsWhatHolds) {
  limiter_.Release(Take(1).front(), kThrottled);
  ASSERT_EQ(limiter_.limit(RequestKind::kGet), 8);
  // Requests far below the limit prove nothing about it.
  for (int i = 0; i < 100; ++i) limiter_.Release(Take(1).front(), kDone);
  EXPECT_EQ(limiter_.limit(RequestKind::kGet), 8);
  auto under_way = Take(7);
  for (int i = 0; i < 9; ++i) limiter_.Release(Take(1).front(), kDone);
  EXPECT_GE(limiter_.limit(RequestKind::kGet), 8.9);
  EXPECT_LT(limiter_.limit(RequestKind::kGet), 10);
  for (const auto& permit : under_way) limiter_.Release(permit, kDone);
}

TEST_F(RequestLimiterTest, NeverMoreAreUnderWayThanTheLimit) {
  std::atomic<int> under_way{0}, most{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 24; ++i) {
      threads.emplace_back([&, i] {
        const auto urgency = i % 2 == 0 ? Urgency::kForeground : Urgency::kBackground;
        for (int round = 0; round < 50; ++round) {
          const auto permit = *limiter_.Acquire(RequestKind::kGet, urgency, clock_);
          const int now = ++under_way;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          std::this_thread::yield();
          --under_way;
          limiter_.Release(permit, kDone);
        }
      });
    }
  }
  EXPECT_LE(most, 20);
}

TEST_F(RequestLimiterTest, WhatNobodyWaitsForLeavesRoom) {
  std::vector<RequestLimiter::Permit> background;
  for (int i = 0; i < 12; ++i) background.push_back(*limiter_.Acquire(RequestKind::kGet, Urgency::kBackground, clock_));
  std::atomic<bool> got{false};
  std::jthread thirteenth([&] {
    const auto permit = *limiter_.Acquire(RequestKind::kGet, Urgency::kBackground, clock_);
    got = true;
    limiter_.Release(permit, kDone);
  });
  auto foreground = Take(4);  // at once: a quarter is kept for them
  EXPECT_FALSE(got);
  for (const auto& permit : background) limiter_.Release(permit, kDone);
  for (const auto& permit : foreground) limiter_.Release(permit, kDone);
  thirteenth.join();
  EXPECT_TRUE(got);
}

TEST_F(RequestLimiterTest, WhoWaitsForRoomKeepsToItsLimits) {
  const auto all = Take(16);
  {
    const RequestScope passed({.deadline = clock_.Monotonic()});
    EXPECT_EQ(limiter_.Acquire(RequestKind::kGet, Urgency::kForeground, clock_).error().code(), ErrorCode::kTimeout);
  }
  std::stop_source stop;
  std::jthread waits([&] {
    const RequestScope scope({.stop = stop.get_token()});
    const auto permit = limiter_.Acquire(RequestKind::kGet, Urgency::kForeground, clock_);
    EXPECT_EQ(permit.error().code(), ErrorCode::kClosed);
  });
  stop.request_stop();
  waits.join();
  for (const auto& permit : all) limiter_.Release(permit, kDone);
  // No request is counted as waiting any more: background ones are let in.
  const auto one = limiter_.Acquire(RequestKind::kGet, Urgency::kBackground, clock_);
  const auto another = limiter_.Acquire(RequestKind::kGet, Urgency::kBackground, clock_);
  ASSERT_TRUE(one && another);
  limiter_.Release(*one, kDone);
  limiter_.Release(*another, kDone);
}

}  // namespace
}  // namespace millrace
