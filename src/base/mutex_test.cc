// Goal: a callback that runs while its thread holds a mutex of ours is noticed, whichever way the mutex was taken, and
// one that runs under none is not. Method: the check between taking and giving back, in builds that have it.
#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/eager_lock.h"

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

}  // namespace
}  // namespace millrace
