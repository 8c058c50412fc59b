#include "base/limited_wait.h"

#include <fmt/format.h>

namespace millrace {

std::optional<Error> LimitReached(const Clock& clock, std::string_view what) {
  const RequestLimits& limits = RequestScope::Current();
  if (limits.stop.stop_requested()) return Error(ErrorCode::kClosed, fmt::format("{}: no longer waited for", what));
  if (limits.deadline != kNever && clock.Monotonic() >= limits.deadline) {
    return Error(ErrorCode::kTimeout, fmt::format("{}: the time for it has passed", what));
  }
  return std::nullopt;
}

}  // namespace millrace
