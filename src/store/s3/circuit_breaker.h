// A store that fails again and again is left alone, asked once after a pause, and used again when that answer is good.
//
//   closed ──failures in a row──► open ──pause over──► one probe ──good──► closed
//                                  ▲                       │
//                                  └───── twice the pause ─┘ bad
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "millrace/result.h"

namespace millrace {

/// Time comes from the caller. Safe from any thread.
class CircuitBreaker {
 public:
  struct Options {
    std::uint32_t failures_max = 10;  // in a row; this many open it
    std::chrono::milliseconds pause_first{500}, pause_max{15'000};
  };
  CircuitBreaker() : CircuitBreaker(Options{}) {}
  explicit CircuitBreaker(Options options) : options_(options), pause_(options.pause_first) {}

  struct Refused {
    std::chrono::nanoseconds wait{};  // the store is left alone for so long
    Error why;                        // the last failure
  };
  /// Nothing: go ahead, and say how it ended by Succeeded or Failed.
  [[nodiscard]] std::optional<Refused> Refusal(std::chrono::nanoseconds now) MR_EXCLUDES(mutex_);
  void Succeeded() MR_EXCLUDES(mutex_);
  void Failed(std::chrono::nanoseconds now, const Error& why) MR_EXCLUDES(mutex_);

  [[nodiscard]] std::uint64_t opened() const MR_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t refused() const MR_EXCLUDES(mutex_);

 private:
  enum class State { kClosed, kOpen, kProbing };

  const Options options_;
  mutable Mutex mutex_;
  State state_ MR_GUARDED_BY(mutex_) = State::kClosed;
  std::uint32_t failures_ MR_GUARDED_BY(mutex_) = 0;
  std::chrono::nanoseconds pause_ MR_GUARDED_BY(mutex_);
  std::chrono::nanoseconds reopens_ MR_GUARDED_BY(mutex_){};
  std::optional<Error> why_ MR_GUARDED_BY(mutex_);  // there is one while it is not closed
  std::uint64_t opened_ MR_GUARDED_BY(mutex_) = 0, refused_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
