#include "env/system_clock.h"

namespace millrace {

std::int64_t SystemClock::WallMs() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::chrono::nanoseconds SystemClock::Monotonic() const { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace millrace
