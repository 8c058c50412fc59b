// The seam of time: wall time for what users see, monotonic time for deadlines. Wall time never orders data.
#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

/// Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Milliseconds since 1970 (UTC). May jump either way.
  [[nodiscard]] virtual std::int64_t WallMs() const = 0;
  /// Time since some fixed moment; never goes back.
  [[nodiscard]] virtual std::chrono::nanoseconds Monotonic() const = 0;
};

}  // namespace millrace
