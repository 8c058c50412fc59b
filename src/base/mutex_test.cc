// Goal: a callback that runs while its thread holds a mutex of ours is noticed, whichever way the mutex was taken, and
// one that runs under none is not. Method: the check between taking and giving back, in builds that have it.
//
// And: no wake-up is lost, whoever is notified and wherever threads are held up. Method: threads that hand something on
// by notifying one of those that wait; a lost wake-up leaves them asleep for ever.
#include "base/mutex.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/eager_lock.h"
#include "base/futex_hold_up.h"

namespace millrace {
namespace {

#ifndef NDEBUG  // release builds do not count what is held
TEST(MutexTest, ACallbackUnderAMutexIsNoticed) {
  Mutex mutex;
  CheckNoMutexHeld();
  EXPECT_DEATH(({
                 MutexLock lock(mutex);
                 CheckNoMutexHeld();
               }),
               "held_mutexes");
  EXPECT_DEATH(({
                 EagerLock lock(mutex);
                 CheckNoMutexHeld();
               }),
               "held_mutexes");
  CheckNoMutexHeld();
}
#endif

TEST(MutexTest, WhatIsGivenBackOrHeldByOthersIsNotCounted) {
  Mutex mutex, other;
  CondVar condition;
  {
    MutexLock lock(mutex);
    {
      MutexLock second(other);
      std::thread([] { CheckNoMutexHeld(); }).join();
    }
    EXPECT_FALSE(condition.WaitFor(mutex, std::chrono::nanoseconds(1)));
  }
  {
    MutexLock lock(mutex);
    std::thread([&]() MR_NO_THREAD_SAFETY_ANALYSIS { EXPECT_FALSE(mutex.TryLock()); }).join();
  }
  CheckNoMutexHeld();
}

/// Something that one thread has at a time, handed on to one of those that wait for it.
struct Baton {
  void Take() {
    MutexLock lock(mutex);
    while (taken) given.Wait(mutex);
    taken = true;
  }
  void GiveAndNotifyAfter() {
    {
      MutexLock lock(mutex);
      taken = false;
    }
    given.NotifyOne();
  }
  void GiveAndNotifyUnderTheLock() {
    MutexLock lock(mutex);
    taken = false;
    given.NotifyOne();
  }
  Mutex mutex;
  CondVar given;
  bool taken MR_GUARDED_BY(mutex) = false;
};

void HandOn(int threads, int turns) {
  Baton baton;
  int taken = 0;
  {
    std::vector<std::jthread> runners;
    for (int t = 0; t < threads; ++t) {
      runners.emplace_back([&, t] {
        for (int turn = 0; turn < turns; ++turn) {
          baton.Take();
          ++taken;
          if (turn % 16 == 0) std::this_thread::yield();  // the others come to wait
          if ((turn + t) % 2 == 0) {
            baton.GiveAndNotifyAfter();
          } else {
            baton.GiveAndNotifyUnderTheLock();
          }
        }
      });
    }
  }
  EXPECT_EQ(taken, threads * turns);
}

TEST(CondVarTest, OneThatWaitsIsWokenEachTimeTheBatonIsGivenBack) { HandOn(6, 10'000); }

#ifdef MR_FUTEX_HOLD_UP
TEST(CondVarTest, ThreadsHeldUpBeforeTheySleepAreWokenToo) {
  const FutexHoldUp held_up;
  HandOn(4, 400);
  EXPECT_GE(held_up.calls, 1);
}

TEST(CondVarTest, AWakeUpThatComesBeforeTheSleepEndsIt) {
  const FutexHoldUp held_up(FutexHoldUp::Of::kWaits);  // for longer than the other thread takes
  for (int i = 0; i < 50; ++i) {
    Mutex mutex;
    CondVar changed;
    bool asleep = false, done = false;
    std::jthread other([&] {
      for (;;) {
        MutexLock lock(mutex);
        if (!asleep) continue;
        done = true;
        changed.NotifyAll();
        return;
      }
    });
    MutexLock lock(mutex);
    asleep = true;
    while (!done) changed.Wait(mutex);
  }
  EXPECT_GE(held_up.calls, 50);
}
#endif

TEST(CondVarTest, AllThatWaitAreWokenAtOnce) {
  constexpr int kThreads = 5;
  Mutex mutex;
  CondVar came, changed;
  int waiting = 0;
  bool done = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      MutexLock lock(mutex);
      ++waiting;
      came.NotifyOne();
      while (!done) changed.Wait(mutex);
    });
  }
  MutexLock lock(mutex);
  while (waiting < kThreads) came.Wait(mutex);
  done = true;
  changed.NotifyAll();
}

TEST(CondVarTest, AWaitEndsAtItsTimeoutAndTheLargestHasNone) {
  Mutex mutex;
  CondVar changed;
  bool done = false;
  MutexLock lock(mutex);
  EXPECT_FALSE(changed.WaitFor(mutex, std::chrono::microseconds(10)));
  EXPECT_FALSE(changed.WaitFor(mutex, std::chrono::nanoseconds(-1)));
  std::jthread other([&] {
    MutexLock inside(mutex);
    done = true;
    changed.NotifyAll();
  });
  while (!done) EXPECT_TRUE(changed.WaitFor(mutex, std::chrono::nanoseconds::max()));
}

/// What waits may go as soon as it has been told, if it was told under the lock.
TEST(CondVarTest, AWaiterMayDestroyItOnceItWasNotifiedUnderTheLock) {
  struct Shared {
    Mutex mutex;
    CondVar changed;
    bool done = false;
  };
  for (int i = 0; i < 500; ++i) {
    auto shared = std::make_unique<Shared>();
    std::jthread other([told = shared.get()] {
      MutexLock lock(told->mutex);
      told->done = true;
      told->changed.NotifyAll();
    });
    {
      MutexLock lock(shared->mutex);
      while (!shared->done) shared->changed.Wait(shared->mutex);
    }
    shared.reset();
  }
}

}  // namespace
}  // namespace millrace
