#include "read/read_context.h"

#include "base/deadline.h"

namespace millrace {

RequestLimits LimitsOf(const ReadLimits& limits, const Clock& clock) {
  if (!limits.timeout) return {};
  return {.deadline = DeadlineAfter(clock.Monotonic(), *limits.timeout), .stop = {}};
}

}  // namespace millrace
