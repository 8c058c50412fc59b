#include "base/retry_budget.h"

#include <algorithm>

namespace millrace {

std::chrono::nanoseconds Backoff::Pause(unsigned attempt, std::uint64_t random) const {
  std::chrono::nanoseconds whole = first;
  for (unsigned i = 1; i < attempt && whole < longest; ++i) whole *= 2;
  whole = std::min(whole, longest);
  const auto half = whole.count() / 2;
  return std::chrono::nanoseconds(half + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(half + 1)));
}

std::optional<std::chrono::nanoseconds> Backoff::Pause(unsigned attempt, std::uint64_t random,
                                                       std::chrono::nanoseconds now,
                                                       std::optional<std::chrono::nanoseconds> deadline) const {
  const auto pause = Pause(attempt, random);
  if (deadline && now + pause >= *deadline) return std::nullopt;
  return pause;
}

void RetryBudget::OnFirstAttempt() {
  MutexLock lock(mutex_);
  tokens_ = std::min<std::uint64_t>(tokens_ + options_.earn_percent, std::uint64_t{options_.tokens_max} * 100);
}

bool RetryBudget::TryRetry() {
  MutexLock lock(mutex_);
  if (tokens_ < 100) return false;
  tokens_ -= 100;
  return true;
}

}  // namespace millrace
