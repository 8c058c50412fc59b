// A clock that moves only when told to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "millrace/clock.h"

namespace millrace {

/// Safe from any thread. It wakes no thread: one that waits on real time does not see it move.
class SimClock final : public Clock {
 public:
  explicit SimClock(std::int64_t wall_ms = 1'700'000'000'000) : wall_ns_(wall_ms * 1'000'000) {}

  [[nodiscard]] std::int64_t WallMs() const override { return wall_ns_.load() / 1'000'000; }
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::nanoseconds(monotonic_ns_.load());
  }

  /// Moves wall and monotonic time forward. Precondition: not negative.
  void Advance(std::chrono::nanoseconds by) {
    wall_ns_ += by.count();
    monotonic_ns_ += by.count();
  }
  /// The operator sets the wall clock, forward or back; monotonic time does not notice.
  void JumpWall(std::chrono::milliseconds by) { wall_ns_ += std::chrono::nanoseconds(by).count(); }

 private:
  std::atomic<std::int64_t> wall_ns_;
  std::atomic<std::int64_t> monotonic_ns_{1'000'000'000};
};

}  // namespace millrace
