#include "store/s3/circuit_breaker.h"

#include <algorithm>

namespace millrace {

std::optional<CircuitBreaker::Refused> CircuitBreaker::Refusal(std::chrono::nanoseconds now) {
  MutexLock lock(mutex_);
  if (state_ == State::kClosed) return std::nullopt;
  if (state_ == State::kOpen && now >= reopens_) {
    state_ = State::kProbing;
    // Should the probe never be answered for, the next one goes after another pause.
    reopens_ = now + pause_;
    return std::nullopt;
  }
  if (state_ == State::kProbing && now >= reopens_) {
    reopens_ = now + pause_;
    return std::nullopt;
  }
  ++refused_;
  return Refused{reopens_ - now, *why_};
}

void CircuitBreaker::Succeeded() {
  MutexLock lock(mutex_);
  state_ = State::kClosed;
  failures_ = 0;
  pause_ = options_.pause_first;
}

void CircuitBreaker::Failed(std::chrono::nanoseconds now, const Error& why) {
  MutexLock lock(mutex_);
  why_ = why;
  if (state_ == State::kClosed && ++failures_ < options_.failures_max) return;
  if (state_ == State::kOpen) return;  // it was under way before
  if (state_ == State::kProbing) pause_ = std::min<std::chrono::nanoseconds>(2 * pause_, options_.pause_max);
  state_ = State::kOpen;
  reopens_ = now + pause_;
  ++opened_;
}

std::uint64_t CircuitBreaker::opened() const {
  MutexLock lock(mutex_);
  return opened_;
}

std::uint64_t CircuitBreaker::refused() const {
  MutexLock lock(mutex_);
  return refused_;
}

}  // namespace millrace
