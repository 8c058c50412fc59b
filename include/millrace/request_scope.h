// How long a caller waits for what it asks of a store: a deadline and a stop, in force for the calls of one thread.
// They do not stand in the signatures of ObjectStore, so that a store written before them goes on compiling.
#pragma once

#include <chrono>
#include <stop_token>

#include "millrace/export.h"

namespace millrace {

struct RequestLimits {
  std::chrono::nanoseconds deadline = std::chrono::nanoseconds::max();  // by Clock::Monotonic; max: none
  std::stop_token stop;                                                 // asked for: the caller no longer waits
};

/// Puts limits in force for this thread until destroyed; within other scopes the nearer deadline counts, and the inner
/// stop. A store that looks at Current() ends a call early with kTimeout (deadline) or kClosed (stop).
class MILLRACE_EXPORT RequestScope {
 public:
  explicit RequestScope(RequestLimits limits);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

  /// Of this thread; without a scope: no deadline, no stop.
  static const RequestLimits& Current();

 private:
  const RequestLimits limits_;
  const RequestScope* const outer_;
};

}  // namespace millrace
