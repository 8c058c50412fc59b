// How long a step may go on. Steps that go through many partitions or objects look at it between them, so that closing
// an engine and what else the thread has to do never wait for all of them.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/deadline.h"
#include "millrace/clock.h"
#include "millrace/request_scope.h"

namespace millrace {

class StepBudget {
 public:
  /// Over after `time_max`, and as soon as the deadline or the stop of this thread's RequestScope says so.
  explicit StepBudget(const Clock& clock, std::chrono::nanoseconds time_max = kNever)
      : clock_(clock), until_(std::min(DeadlineAfter(clock.Monotonic(), time_max), RequestScope::Current().deadline)) {}

  [[nodiscard]] bool over() const {
    return RequestScope::Current().stop.stop_requested() || (until_ != kNever && clock_.Monotonic() >= until_);
  }

 private:
  const Clock& clock_;
  const std::chrono::nanoseconds until_;
};

}  // namespace millrace
