// Goal: threads that need one result make one call; each waits within its own limits, and none gets another's. Method:
// real threads; the call is held until the others are seen to wait.
#include "base/shared_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace millrace {
namespace {

using std::chrono::nanoseconds;

class HandClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override { return 0; }
  [[nodiscard]] nanoseconds Monotonic() const override { return nanoseconds(now.load()); }
  std::atomic<std::int64_t> now{0};
};

class SharedCallTest : public testing::Test {
 protected:
  void AwaitWaiting(std::size_t count) {
    while (call_.waiting() != count) std::this_thread::yield();
  }
  static Error Down() { return {ErrorCode::kUnavailable, "down"}; }

  HandClock clock_;
  SharedCall<int> call_{clock_};
  std::atomic<int> made_{0};
};

TEST_F(SharedCallTest, AFailureIsSharedWithThoseWhoWaited) {
  std::atomic<int> failed{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&] {
      const auto result = call_.Run("x", [&]() -> Result<int> {
        ++made_;
        AwaitWaiting(4);
        return Down();
      });
      if (!result && result.error().message() == "down") ++failed;
    });
  }
  threads.clear();
  EXPECT_EQ(failed, 5);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(*call_.Run("x", [] { return Result<int>(7); }), 7);
}

TEST_F(SharedCallTest, WhoWaitsEndsAtItsOwnStopWhileTheCallGoesOn) {
  std::stop_source stop;
  std::atomic<bool> other_ended{false};
  std::jthread waits;
  const auto led = call_.Run("x", [&]() -> Result<int> {
    waits = std::jthread([&] {
      const RequestScope scope({.stop = stop.get_token()});
      const auto result = call_.Run("asking", [] { return Result<int>(0); });
      EXPECT_EQ(result.error().code(), ErrorCode::kClosed);
      EXPECT_NE(result.error().message().find("asking"), std::string_view::npos);
      other_ended = true;
    });
    AwaitWaiting(1);
    stop.request_stop();
    waits.join();
    return 7;
  });
  EXPECT_TRUE(other_ended);
  EXPECT_EQ(*led, 7);
}

TEST_F(SharedCallTest, WhoWaitsEndsAtItsOwnDeadline) {
  std::jthread waits;
  const auto led = call_.Run("x", [&]() -> Result<int> {
    waits = std::jthread([&] {
      const RequestScope scope({.deadline = nanoseconds(1'000'000)});
      EXPECT_EQ(call_.Run("x", [] { return Result<int>(0); }).error().code(), ErrorCode::kTimeout);
    });
    AwaitWaiting(1);
    clock_.now = 1'000'000;
    waits.join();
    return 7;
  });
  EXPECT_EQ(*led, 7);
}

TEST_F(SharedCallTest, TheCallersOwnLimitIsNobodyElses) {
  std::stop_source stop;
  std::jthread waits;
  Result<int> other = Down();
  {
    const RequestScope scope({.stop = stop.get_token()});
    const auto led = call_.Run("x", [&]() -> Result<int> {
      waits = std::jthread([&] {
        other = call_.Run("x", [&] {
          ++made_;
          return Result<int>(8);
        });
      });
      AwaitWaiting(1);
      stop.request_stop();
      return Error(ErrorCode::kClosed, "stopped");
    });
    EXPECT_EQ(led.error().code(), ErrorCode::kClosed);
  }
  waits.join();
  EXPECT_EQ(*other, 8);
  EXPECT_EQ(made_, 1);
}

}  // namespace
}  // namespace millrace
