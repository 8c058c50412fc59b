// Moments after which a caller no longer waits, by a clock that never goes back. A timeout that no clock can count to
// means for ever.
#pragma once

#include <chrono>

namespace millrace {

constexpr std::chrono::nanoseconds kNever = std::chrono::nanoseconds::max();

/// `timeout` in nanoseconds, cut at what they can count; below zero: zero.
template <class Rep, class Period>
constexpr std::chrono::nanoseconds Saturated(std::chrono::duration<Rep, Period> timeout) {
  if (timeout <= timeout.zero()) return std::chrono::nanoseconds::zero();
  if (timeout > std::chrono::duration_cast<std::chrono::duration<Rep, Period>>(kNever)) return kNever;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
}

/// `now` + `timeout`; kNever if that is more than nanoseconds count.
template <class Rep, class Period>
constexpr std::chrono::nanoseconds DeadlineAfter(std::chrono::nanoseconds now,
                                                 std::chrono::duration<Rep, Period> timeout) {
  const std::chrono::nanoseconds left = Saturated(timeout);
  return left >= kNever - now ? kNever : now + left;
}

/// What is left until `deadline`: kNever stays so, a moment that has passed leaves zero.
constexpr std::chrono::nanoseconds TimeLeft(std::chrono::nanoseconds deadline, std::chrono::nanoseconds now) {
  if (deadline == kNever) return kNever;
  return deadline <= now ? std::chrono::nanoseconds::zero() : deadline - now;
}

}  // namespace millrace
