// A MutexLock for mutexes held for much less than it takes to put a thread to sleep and to wake it again.
#pragma once

#include "base/mutex.h"

namespace millrace {

/// Tries for about a microsecond before it sleeps. For sections of a few hundred nanoseconds that many threads enter
/// often: a sleeper there costs two system calls and a switch, and the thread that wakes it pays too.
class MR_SCOPED_CAPABILITY EagerLock {
 public:
  explicit EagerLock(Mutex& mutex) MR_ACQUIRE(mutex) : mutex_(mutex) {
    for (int i = 0; i < kTries; ++i) {
      if (mutex_.TryLock()) return;
      for (int pause = 0; pause < kPauses; ++pause) Relax();
    }
    mutex_.Lock();
  }
  ~EagerLock() MR_RELEASE() { mutex_.Unlock(); }
  EagerLock(const EagerLock&) = delete;
  EagerLock& operator=(const EagerLock&) = delete;

 private:
  static constexpr int kTries = 24, kPauses = 4;
  static void Relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  Mutex& mutex_;
};

}  // namespace millrace
