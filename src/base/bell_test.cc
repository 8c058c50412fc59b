// A ring between looking and waiting is not lost, each waiter hears it, and a deadline ends a wait.
#include "base/bell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace millrace {
namespace {

/// Stands still.
class StillClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override { return 0; }
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override { return std::chrono::seconds(5); }
};

TEST(BellTest, ARingBeforeTheWaitEndsIt) {
  Bell bell;
  const StillClock clock;
  const std::uint64_t noted = bell.rings();
  bell.Ring();
  EXPECT_TRUE(bell.Await(noted, kNever, clock));
  EXPECT_EQ(bell.rings(), noted + 1);
}

TEST(BellTest, EveryWaiterHearsOneRing) {
  Bell bell;
  const StillClock clock;
  const std::uint64_t noted = bell.rings();
  std::atomic<int> heard{0};
  {
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 4; ++i) waiters.emplace_back([&] { heard += bell.Await(noted, kNever, clock) ? 1 : 0; });
    bell.Ring();
  }
  EXPECT_EQ(heard, 4);
}

TEST(BellTest, ADeadlineThatHasPassedEndsAWaitAndARingStillCounts) {
  Bell bell;
  const StillClock clock;
  EXPECT_FALSE(bell.Await(bell.rings(), std::chrono::seconds(5), clock));
  EXPECT_FALSE(bell.Await(bell.rings(), std::chrono::seconds(5) + std::chrono::milliseconds(1), clock));
  const std::uint64_t noted = bell.rings();
  bell.Ring();
  EXPECT_TRUE(bell.Await(noted, std::chrono::nanoseconds(0), clock));
}

}  // namespace
}  // namespace millrace
