// For tests of waiting: a clock that tells how often it was looked at. A thread that waits within limits looks at it
// under the mutex, right before it falls asleep; so a test that takes that mutex after the look finds it waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "millrace/clock.h"

namespace millrace {

class WatchedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override { return 0; }
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override {
    ++looks_;
    return std::chrono::nanoseconds(now_.load());
  }
  void Advance(std::chrono::nanoseconds time) { now_ += time.count(); }
  [[nodiscard]] int looks() const { return looks_; }
  /// Until threads have looked more than `looks` times.
  void AwaitLookAfter(int looks) const {
    while (looks_ <= looks) std::this_thread::yield();
  }

 private:
  mutable std::atomic<int> looks_{0};
  std::atomic<std::int64_t> now_{1};
};

}  // namespace millrace
