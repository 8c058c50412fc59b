// How a thread keeps to the limits of its RequestScope: it looks whether they ended, and waits no longer than they
// last.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/deadline.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/request_scope.h"
#include "millrace/result.h"

namespace millrace {

/// kClosed once the stop in force for this thread was asked for, kTimeout once its deadline has passed; else none.
/// `what` was waited for: "GET a/b".
std::optional<Error> LimitReached(const Clock& clock, std::string_view what);

/// The same for a caller that goes on or returns the error.
inline Result<void> WithinLimits(const Clock& clock, std::string_view what) {
  if (std::optional<Error> reached = LimitReached(clock, what)) return *std::move(reached);
  return {};
}

/// Whether `error` may come from this thread's own limits: then it is no answer for callers that joined its request.
inline bool IsOfOwnLimits(const Error& error) {
  const RequestLimits& limits = RequestScope::Current();
  if (error.code() == ErrorCode::kTimeout) return limits.deadline != kNever;
  return error.code() == ErrorCode::kClosed && limits.stop.stop_requested();
}

/// `timeout` from now, or the deadline in force for this thread if that is nearer.
inline std::chrono::nanoseconds DeadlineInScope(const Clock& clock, std::chrono::nanoseconds timeout) {
  return std::min(DeadlineAfter(clock.Monotonic(), timeout), RequestScope::Current().deadline);
}

/// Waits for a change under a mutex, woken by the end of the limits of this thread as well. It is made before the mutex
/// is taken, for it may have to take the mutex itself, and outlives the hold. The caller loops until what it waits for
/// is so, or LimitReached says that the limits ended.
class LimitedWait {
 public:
  /// All three outlive it. `changed` is told of changes by NotifyAll.
  LimitedWait(Mutex& mutex, CondVar& changed, const Clock& clock)
      : changed_(changed), clock_(clock), limits_(RequestScope::Current()), wake_(limits_.stop, [&mutex, &changed] {
          {
            MutexLock lock(mutex);
          }  // a thread about to sleep has looked, or sleeps by now
          changed.NotifyAll();
        }) {}

  /// Returns after a change, at the end of the limits, or for no reason. `mutex`: the one it was made with.
  void Wait(Mutex& mutex) MR_REQUIRES(mutex) { WaitFor(mutex, kNever); }
  /// As Wait, and at the latest after `timeout`.
  void WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) MR_REQUIRES(mutex) {
    if (limits_.stop.stop_requested()) return;
    (void)changed_.WaitFor(mutex, std::min(timeout, TimeLeft(limits_.deadline, clock_.Monotonic())));
  }
  /// As Wait, unless the limits have ended. Errors: LimitReached's.
  Result<void> For(std::string_view what, Mutex& mutex) MR_REQUIRES(mutex) {
    Result<void> within = WithinLimits(clock_, what);
    if (within) Wait(mutex);
    return within;
  }

 private:
  CondVar& changed_;
  const Clock& clock_;
  const RequestLimits limits_;
  const std::stop_callback<std::function<void()>> wake_;
};

}  // namespace millrace
