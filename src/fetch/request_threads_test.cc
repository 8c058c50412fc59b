// Goal: a reader waits for a store that looks at no limits no longer than its own allow; the request it leaves under
// way is waited for at the end. Method: requests that are held, and a clock that tells when a thread is about to wait.
// Proves R5 (deadline).
#include "fetch/request_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/watched_clock.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

TEST(RequestThreadsTest, CallersLeaveAndCloseWaitsForWhatTheyLeft) {
  WatchedClock clock;
  RequestThreads threads(clock);
  std::atomic<bool> begun{false}, answer{false}, answered{false};
  const auto silent = [&]() -> RequestThreads::Parts {
    begun = true;
    while (!answer) std::this_thread::yield();
    answered = true;
    return std::vector<SharedBytes>{};
  };
  {
    const RequestScope scope({.deadline = clock.Monotonic(), .stop = {}});
    EXPECT_EQ(threads.Run(silent).error().code(), ErrorCode::kTimeout);
  }
  std::stop_source stop;
  const int looks = clock.looks();
  std::jthread stopped([&] {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(threads.Run(silent).error().code(), ErrorCode::kClosed);
  });
  clock.AwaitLookAfter(looks);
  while (!begun) std::this_thread::yield();  // a request that its caller left before is not made
  stop.request_stop();
  stopped.join();
  EXPECT_EQ(threads.Run([&]() -> RequestThreads::Parts { return std::vector<SharedBytes>(2); })->size(), 2u);
  answer = true;
  threads.Close();
  EXPECT_TRUE(answered);
  EXPECT_EQ(threads.Run(silent).error().code(), ErrorCode::kClosed);
}

TEST(RequestThreadsTest, ARequestRunsWithinTheLimitsOfItsCaller) {
  WatchedClock clock;
  RequestThreads threads(clock);
  const RequestScope scope({.deadline = std::chrono::hours(1), .stop = {}});
  std::chrono::nanoseconds seen{};
  (void)threads.Run([&]() -> RequestThreads::Parts {
    seen = RequestScope::Current().deadline;
    return std::vector<SharedBytes>{};
  });
  EXPECT_EQ(seen, std::chrono::hours(1));
}

}  // namespace
}  // namespace millrace
