// The thread that connections live on, as they see it: its time, its timers, and the way back to it from other threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace millrace {

/// Of the loop's own thread, unless a call says otherwise. What was posted or started runs on that thread, under no
/// lock.
class TurnLoop {
 public:
  using Time = std::chrono::nanoseconds;  // as Clock::Monotonic
  using TimerId = std::uint64_t;          // never 0
  using Task = std::move_only_function<void()>;

  virtual ~TurnLoop() = default;
  [[nodiscard]] virtual Time Now() const = 0;
  /// From any thread. Runs later, in the order posted; once the loop has ended it is dropped.
  virtual void Post(Task task) = 0;
  /// Runs once at `at`, or soon after.
  virtual TimerId StartTimer(Time at, Task task) = 0;
  /// It will not run any more; nothing if it did. Cost: logarithm of the timers there are.
  virtual void StopTimer(TimerId timer) = 0;
};

}  // namespace millrace
