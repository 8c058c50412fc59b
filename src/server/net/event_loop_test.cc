// Goal: what is posted runs, whoever posts it and whatever the loop does, within the turn if the loop posts it itself;
// timers run in their order and not early; a turn gathers sockets while that helps. Method: a loop on a thread of its
// own, socket pairs; a wake that is lost is a wait that ends after ten seconds.
#include "server/net/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{10};

class EventLoopTest : public testing::Test {
 protected:
  void Start() {
    thread_ = std::jthread([this] { loop_->Run(); });
  }
  /// Runs it on the loop's thread, and waits for it.
  bool RunThere(TurnLoop::Task task) {
    std::binary_semaphore done(0);
    loop_->Post([&] {
      task();
      done.release();
    });
    return done.try_acquire_for(kPatience);
  }
  /// What the loop still runs refers to what the test has.
  void Finish() {
    loop_->Stop();
    thread_.join();
  }
  void TearDown() override { loop_->Stop(); }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Open();
  std::jthread thread_;
};

struct Pair {
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~Pair() {
    for (const int end : ends) ::close(end);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  void Send() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{};
};

TEST_F(EventLoopTest, APostWakesTheLoopWheneverItComes) {
  Start();
  int count = 0;
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(RunThere([&] { ++count; })) << "a wake was lost";
    if (i % 100 == 0) std::this_thread::sleep_for(milliseconds(1));  // by then it sleeps
  }
  EXPECT_EQ(count, 2'000);
}

TEST_F(EventLoopTest, PostsOfManyThreadsAllRun) {
  Start();
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 1'000; ++j) loop_->Post([&] { ++count; });
      });
    }
  }
  int seen = 0;
  ASSERT_TRUE(RunThere([&] { seen = count; }));
  EXPECT_EQ(seen, 4'000);
}

TEST_F(EventLoopTest, WhatTheLoopPostsToItselfRunsBeforeTheTurnEnds) {
  std::string order;
  loop_->OnTurnEnd([&] { order += "end "; });
  std::binary_semaphore done(0);
  loop_->Post([&] {
    order.clear();
    loop_->Post([&] {
      order += "second ";
      loop_->Post([&] {
        order += "third ";
        done.release();
      });
    });
  });
  Start();
  ASSERT_TRUE(done.try_acquire_for(kPatience));
  std::string seen;
  EXPECT_TRUE(RunThere([&] { seen = order; }));
  Finish();
  EXPECT_EQ(seen.substr(0, std::string("second third ").size()), "second third ") << seen;
}

TEST_F(EventLoopTest, TimersWakeASleepingLoopInTheirOrderAndNotEarly) {
  Start();
  std::string order;
  std::binary_semaphore done(0);
  TurnLoop::Time due{}, ran{};
  ASSERT_TRUE(RunThere([&] {
    due = loop_->Now() + milliseconds(20);
    loop_->StartTimer(due, [&] {
      order += "late ";
      ran = loop_->Now();
      done.release();
    });
    loop_->StartTimer(due - milliseconds(15), [&] { order += "soon "; });
    loop_->StopTimer(loop_->StartTimer(due - milliseconds(10), [&] { order += "stopped "; }));
  }));
  ASSERT_TRUE(done.try_acquire_for(kPatience));
  EXPECT_EQ(order, "soon late ");
  EXPECT_GE(ran, due);
}

/// The first socket's task makes the second ready.
TEST_F(EventLoopTest, ATurnGathersWhatBecomesReadyMeanwhileIfThatHelps) {
  for (const bool helps : {true, false}) {
    const auto loop = *EventLoop::Open();
    const Pair first, second;
    Readiness one(*loop, first.ends[0]), other(*loop, second.ends[0]);
    std::string order;
    loop->OnTurnEnd([&] { order += "end "; });
    loop->GatherWhile([&] { return helps; });
    other.AwaitReadable([&] {
      order += "second ";
      loop->Stop();
    });
    one.AwaitReadable([&] {
      order += "first ";
      second.Send();
    });
    first.Send();
    loop->Run();
    EXPECT_EQ(order, helps ? "first second end " : "first end second end ");
  }
}

TEST_F(EventLoopTest, ASocketWakesASleepingLoop) {
  const Pair pair;
  Readiness readiness(*loop_, pair.ends[0]);
  std::binary_semaphore done(0);
  readiness.AwaitReadable([&] { done.release(); });
  Start();
  std::this_thread::sleep_for(milliseconds(2));
  pair.Send();
  EXPECT_TRUE(done.try_acquire_for(kPatience));
  Finish();
}

TEST_F(EventLoopTest, WhatIsPostedAfterTheEndIsDropped) {
  Start();
  Finish();
  const auto held = std::make_shared<int>(1);
  loop_->Post([held] { ADD_FAILURE() << "the loop has ended"; });
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace millrace
