// Goal: no reader exceeds the read budget unless it is alone, and none waits longer than its limits allow. Method:
// readers in a hurry on a simulated clock, threads, and a clock that tells when a thread is about to wait. Proves R4,
// R5 (deadline).
#include "fetch/read_memory.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "base/watched_clock.h"
#include "env/sim/sim_clock.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

/// Of a reader whose deadline has come: at once or not at all.
Result<ReadMemory::Reservation> ReserveNow(ReadMemory& memory, std::uint64_t bytes, SimClock& clock) {
  const RequestScope hurried({.deadline = clock.Monotonic(), .stop = {}});
  return memory.Reserve(bytes);
}

TEST(ReadMemoryTest, HoldsItsBudgetAndLetsAnOversizedOnePassAlone) {
  SimClock clock;
  ReadMemory memory(100, clock);
  {
    const auto small = memory.Reserve(60).value();
    EXPECT_EQ(ReserveNow(memory, 41, clock).error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(ReserveNow(memory, 1000, clock).error().code(), ErrorCode::kTimeout);
    const auto rest = ReserveNow(memory, 40, clock).value();
    EXPECT_EQ(memory.bytes(), 100u);
  }
  const auto large = ReserveNow(memory, 1000, clock).value();
  EXPECT_EQ(ReserveNow(memory, 1, clock).error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(memory.bytes_peak(), 1000u);
}

TEST(ReadMemoryTest, ALargeOneIsNotOvertakenBySmallOnes) {
  SimClock clock;
  ReadMemory memory(100, clock);
  std::optional<ReadMemory::Reservation> first = memory.Reserve(60).value();
  std::jthread large([&] { EXPECT_TRUE(memory.Reserve(80)); });
  // Small ones fit until the large one stands in the queue; from then on they wait behind it.
  while (ReserveNow(memory, 10, clock)) std::this_thread::yield();
  EXPECT_FALSE(memory.TryReserve(1)) << "who is ahead passes nobody who waits";
  first.reset();
  large.join();
  EXPECT_EQ(memory.bytes(), 0u);
}

TEST(ReadMemoryTest, WhoIsAheadLeavesAQuarterToReaders) {
  SimClock clock;
  ReadMemory memory(100, clock);
  std::optional<ReadMemory::Reservation> ahead = memory.TryReserve(75);
  EXPECT_TRUE(ahead);
  EXPECT_FALSE(memory.TryReserve(1));
  EXPECT_TRUE(ReserveNow(memory, 25, clock));
  ahead.reset();
  EXPECT_FALSE(memory.TryReserve(76)) << "never more than its share, alone or not";
  EXPECT_FALSE(memory.TryReserve(UINT64_MAX));
}

TEST(ReadMemoryTest, WaitersGoOnWhenBytesComeBack) {
  SimClock clock;
  ReadMemory memory(100, clock);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto held = memory.Reserve(30 + static_cast<std::uint64_t>(i % 70)).value();
        EXPECT_LE(memory.bytes(), 100u);
      }
    });
  threads.clear();
  EXPECT_EQ(memory.bytes(), 0u);
  EXPECT_LE(memory.bytes_peak(), 100u);
}

TEST(ReadMemoryTest, AStopEndsTheWaitAndTheNextInTheQueueGoesOn) {
  WatchedClock clock;
  ReadMemory memory(100, clock);
  const auto held = memory.Reserve(60).value();
  std::stop_source stop;
  int looks = clock.looks();
  std::jthread large([&] {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(memory.Reserve(80).error().code(), ErrorCode::kClosed);
  });
  clock.AwaitLookAfter(looks);
  looks = clock.looks();
  std::jthread small([&] { EXPECT_TRUE(memory.Reserve(10)); });  // behind it, and it would fit
  clock.AwaitLookAfter(looks);
  stop.request_stop();
}

}  // namespace
}  // namespace millrace
