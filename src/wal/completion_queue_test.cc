// Goal: callbacks run in position order, once, and never under a mutex of ours. Method: the queue alone.
#include "wal/completion_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

TEST(CompletionQueueTest, WhatIsReleasedRunsOnceAndInPositionOrder) {
  CompletionQueue queue;
  std::vector<int> ran;
  queue.Add(WalPosition(20), [&](const Result<void>& result) { ran.push_back(result ? 20 : -20); });
  queue.Add(WalPosition(10), [&](const Result<void>& result) { ran.push_back(result ? 10 : -10); });
  queue.Add(WalPosition(30), [&](const Result<void>& result) { ran.push_back(result ? 30 : -30); });
  queue.RunReleased();
  EXPECT_TRUE(ran.empty());
  queue.Release(WalPosition(20), nullptr);
  queue.RunReleased();
  EXPECT_EQ(ran, (std::vector<int>{10, 20}));
  const Error failure(ErrorCode::kUnavailable, "planned");
  queue.Release(WalPosition(20), &failure);
  queue.RunAll();
  EXPECT_EQ(ran, (std::vector<int>{10, 20, -30}));
  EXPECT_TRUE(queue.empty());
}

#ifndef NDEBUG  // release builds do not count what is held
TEST(CompletionQueueTest, RunningCallbacksUnderAMutexEndsTheProcess) {
  CompletionQueue queue;
  queue.Add(WalPosition(1), [](const Result<void>&) {});
  queue.Release(WalPosition(1), nullptr);
  Mutex mutex;
  EXPECT_DEATH(({
                 MutexLock lock(mutex);
                 queue.RunReleased();
               }),
               "held_mutexes");
  queue.RunReleased();
}
#endif

}  // namespace
}  // namespace millrace
