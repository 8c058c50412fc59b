// Goal: every accepted task runs exactly once, the queue is bounded, and closing waits. Method: latches hold the
// threads where the state is to be seen.
#include "env/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace millrace {
namespace {

TEST(ThreadPoolTest, RunsEveryTaskOnce) {
  auto pool = *ThreadPool::Start({.threads = 3, .queue_max = 2});
  std::atomic<int> ran = 0;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool->Submit([&ran](std::stop_token) { ++ran; }));
  pool->Close();
  EXPECT_EQ(ran, 1000);
}

TEST(ThreadPoolTest, QueueIsBoundedAndCloseRunsTheRest) {
  auto pool = *ThreadPool::Start({.threads = 1, .queue_max = 2});
  std::latch inside(1), let_go(1);
  std::atomic<int> ran = 0;
  ASSERT_TRUE(pool->TrySubmit([&](std::stop_token) {
    inside.count_down();
    let_go.wait();
    ++ran;
  }));
  inside.wait();
  const auto count = [&ran](std::stop_token) { ++ran; };
  EXPECT_TRUE(pool->TrySubmit(count));
  EXPECT_TRUE(pool->TrySubmit(count));
  EXPECT_EQ(pool->TrySubmit(count).error().code(), ErrorCode::kUnavailable);
  let_go.count_down();
  pool->Close();
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(pool->TrySubmit(count).error().code(), ErrorCode::kClosed);
  EXPECT_EQ(pool->Submit(count).error().code(), ErrorCode::kClosed);
  pool->Close();
}

TEST(ThreadPoolTest, CloseAsksTasksToStop) {
  auto pool = *ThreadPool::Start({.threads = 1, .queue_max = 1});
  std::latch inside(1);
  std::atomic<bool> stopped = false;
  ASSERT_TRUE(pool->Submit([&](std::stop_token stop) {
    inside.count_down();
    while (!stop.stop_requested()) std::this_thread::yield();
    stopped = true;
  }));
  inside.wait();
  pool->Close();
  EXPECT_TRUE(stopped);
}

TEST(ThreadPoolTest, RefusesSenselessOptions) {
  EXPECT_EQ(ThreadPool::Start({.threads = 0}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(ThreadPool::Start({.threads = 2000}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(ThreadPool::Start({.queue_max = 0}).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
