// For tests of waiting: a clock that tells how often it was looked at. A thread that waits within limits looks at it
// under the mutex, right before it falls asleep; so a test that takes that mutex after the look finds it waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "base/check.h"
#include "millrace/clock.h"

namespace millrace {

/// A thread that never lies down would look for ever: that ends the process.
class WatchedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override { return 0; }
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override {
    if (std::this_thread::get_id() != maker_) MR_CHECK(++looks_of_others_ < 1'000'000, "it does not sleep");
    ++looks_;
    return std::chrono::nanoseconds(now_.load());
  }
  void Advance(std::chrono::nanoseconds time) { now_ += time.count(); }
  [[nodiscard]] int looks() const { return looks_; }
  /// Until threads have looked more than `looks` times.
  void AwaitLookAfter(int looks) const {
    while (looks_ <= looks) std::this_thread::yield();
  }
  /// Until threads other than the one that made the clock have looked `count` times.
  void AwaitLooksOfOthers(int count) const {
    while (looks_of_others_ < count) std::this_thread::yield();
  }

 private:
  const std::thread::id maker_ = std::this_thread::get_id();
  mutable std::atomic<int> looks_{0}, looks_of_others_{0};
  std::atomic<std::int64_t> now_{1};
};

}  // namespace millrace
