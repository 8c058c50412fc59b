#include "store/request_limiter.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {
namespace {

constexpr double kBackgroundShare = 0.75;

}  // namespace

RequestLimiter::RequestLimiter(Options options) : options_(options) {
  MutexLock lock(mutex_);
  for (Lane& lane : lanes_) lane.limit = options.limit_first;
}

bool RequestLimiter::HasRoom(const Lane& lane, Urgency urgency) {
  if (lane.under_way == 0) return true;
  if (lane.under_way + 1 > lane.limit) return false;
  if (urgency == Urgency::kForeground) return true;
  return lane.foreground_waiting == 0 && lane.background_under_way + 1 <= lane.limit * kBackgroundShare;
}

RequestLimiter::Permit RequestLimiter::Acquire(RequestKind kind, Urgency urgency) {
  MutexLock lock(mutex_);
  Lane& lane = lanes_[static_cast<std::size_t>(kind)];
  if (!HasRoom(lane, urgency)) {
    const std::uint32_t waits = urgency == Urgency::kForeground ? 1 : 0;
    lane.foreground_waiting += waits;
    while (!HasRoom(lane, urgency)) room_.Wait(mutex_);
    lane.foreground_waiting -= waits;
  }
  ++lane.under_way;
  if (urgency == Urgency::kBackground) ++lane.background_under_way;
  return {kind, urgency, lane.halvings};
}

void RequestLimiter::Release(const Permit& permit, Outcome outcome) {
  {
    MutexLock lock(mutex_);
    Lane& lane = lanes_[static_cast<std::size_t>(permit.kind)];
    MR_CHECK(lane.under_way > 0);
    const bool was_full = lane.under_way + 1 > lane.limit;
    --lane.under_way;
    if (permit.urgency == Urgency::kBackground) --lane.background_under_way;
    if (outcome == Outcome::kThrottled) {
      ++throttled_;
      // Those that were under way at the last halving tell nothing new.
      if (permit.round == lane.halvings) {
        lane.limit = std::max(options_.limit_min, lane.limit / 2);
        ++lane.halvings;
      }
    } else if (was_full) {
      lane.limit = std::min(options_.limit_max, lane.limit + 1 / lane.limit);
    }
  }
  room_.NotifyAll();
}

double RequestLimiter::limit(RequestKind kind) const {
  MutexLock lock(mutex_);
  return lanes_[static_cast<std::size_t>(kind)].limit;
}

std::uint64_t RequestLimiter::throttled() const {
  MutexLock lock(mutex_);
  return throttled_;
}

}  // namespace millrace
