// Bell: rung when there may be something to do for threads that wait. No ring is lost: a thread notes how often the
// bell rang, looks whether there is something to do, and waits for a ring past the noted one.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/deadline.h"
#include "base/mutex.h"
#include "millrace/clock.h"

namespace millrace {

/// Safe from any thread. Those who ring it may do so under any lock; nothing is called under its own.
class Bell {
 public:
  void Ring() {
    MutexLock lock(mutex_);
    ++rings_;
    rung_.NotifyAll();
  }
  [[nodiscard]] std::uint64_t rings() const {
    MutexLock lock(mutex_);
    return rings_;
  }
  /// True: it rang since it had rung `noted` times. False: `deadline`, on Clock::Monotonic, has passed.
  [[nodiscard]] bool Await(std::uint64_t noted, std::chrono::nanoseconds deadline, const Clock& clock) {
    MutexLock lock(mutex_);
    while (rings_ == noted) {
      const auto left = TimeLeft(deadline, clock.Monotonic());
      if (left == left.zero() || !rung_.WaitFor(mutex_, left)) break;
    }
    return rings_ != noted;
  }

 private:
  mutable Mutex mutex_;
  CondVar rung_;
  std::uint64_t rings_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
