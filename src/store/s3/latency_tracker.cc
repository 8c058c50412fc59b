#include "store/s3/latency_tracker.h"

#include <algorithm>

namespace millrace {

std::size_t LatencyTracker::ClassOf(std::uint64_t bytes) {
  constexpr std::uint64_t kLimits[] = {64 << 10, 1 << 20, 4 << 20, 16 << 20};
  return static_cast<std::size_t>(std::ranges::lower_bound(kLimits, bytes) - kLimits);
}

void LatencyTracker::Record(std::uint64_t bytes, std::chrono::nanoseconds took) {
  MutexLock lock(mutex_);
  Class& at = classes_[ClassOf(bytes)];
  if (at.recent.size() < kKept) {
    at.recent.push_back(took);
  } else {
    at.recent[at.next] = took;
    at.next = (at.next + 1) % kKept;
  }
  ++at.recorded;
  if (at.recent.size() < kEnough || (at.recorded % kRefresh != 0 && at.recent.size() != kEnough)) return;
  std::vector<std::chrono::nanoseconds> sorted = at.recent;
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 95 / 100);
  std::ranges::nth_element(sorted, nth);
  at.percentile = *nth;
}

std::optional<std::chrono::nanoseconds> LatencyTracker::Percentile95(std::uint64_t bytes) const {
  MutexLock lock(mutex_);
  const Class& at = classes_[ClassOf(bytes)];
  if (at.recent.size() < kEnough) return std::nullopt;
  return at.percentile;
}

void HedgeBudget::OnRequest() {
  MutexLock lock(mutex_);
  hundredths_ = std::min(hundredths_ + percent_, kHundredthsMax);
}

bool HedgeBudget::TryHedge() {
  MutexLock lock(mutex_);
  if (hundredths_ < 100) return false;
  hundredths_ -= 100;
  return true;
}

}  // namespace millrace
