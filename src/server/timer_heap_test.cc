// Goal: timers run in the order of their times, once, and not after they were stopped.
#include "server/timer_heap.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

using std::chrono::nanoseconds;

TEST(TimerHeapTest, RunsWhatIsDueInTheOrderOfTheTimes) {
  TimerHeap timers;
  std::vector<int> ran;
  for (int at : {30, 10, 20}) timers.Start(nanoseconds(at), [&ran, at] { ran.push_back(at); });
  EXPECT_EQ(timers.First(), nanoseconds(10));
  timers.RunDue(nanoseconds(20));
  EXPECT_EQ(ran, (std::vector<int>{10, 20}));
  timers.RunDue(nanoseconds(100));
  EXPECT_EQ(ran, (std::vector<int>{10, 20, 30}));
  EXPECT_FALSE(timers.First());
}

TEST(TimerHeapTest, AStoppedTimerDoesNotRunAndMayBeStoppedAgain) {
  TimerHeap timers;
  const auto first = timers.Start(nanoseconds(1), [] { FAIL(); });
  timers.Stop(first);
  timers.Stop(first);
  timers.RunDue(nanoseconds(5));
}

TEST(TimerHeapTest, ATaskMayStopAndStartTimers) {
  TimerHeap timers;
  int ran = 0;
  TurnLoop::TimerId second = 0;
  timers.Start(nanoseconds(1), [&] {
    timers.Stop(second);
    timers.Start(nanoseconds(1), [&] { ran += 100; });
    ++ran;
  });
  second = timers.Start(nanoseconds(2), [] { FAIL(); });
  timers.RunDue(nanoseconds(5));
  EXPECT_EQ(ran, 1) << "what a task starts for now waits for the next call, or a turn would never end";
  timers.RunDue(nanoseconds(5));
  EXPECT_EQ(ran, 101);
}

}  // namespace
}  // namespace millrace
