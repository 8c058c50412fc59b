// Leaves a disk alone that has failed: for a second, and twice as long each time it fails again.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "millrace/clock.h"

namespace millrace {

/// Safe from any thread.
class DiskPause {
 public:
  static constexpr std::chrono::nanoseconds kFirst = std::chrono::seconds(1), kLongest = std::chrono::minutes(1);

  explicit DiskPause(Clock& clock) : clock_(clock) {}
  [[nodiscard]] bool active() const { return until_.load() != 0 && clock_.Monotonic().count() < until_.load(); }
  void OnFailure() {
    if (active()) return;  // of a call that began before
    const std::int64_t pause = next_.load();
    until_ = clock_.Monotonic().count() + pause;
    next_ = std::min(2 * pause, std::int64_t{kLongest.count()});
  }
  /// True: it had failed before.
  bool OnSuccess() {
    if (until_.load() == 0) return false;
    until_ = 0;
    next_ = kFirst.count();
    return true;
  }

 private:
  Clock& clock_;
  std::atomic<std::int64_t> until_{0};  // on Clock::Monotonic; 0: it works
  std::atomic<std::int64_t> next_{kFirst.count()};
};

}  // namespace millrace
