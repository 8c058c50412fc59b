#include "store/s3/request_limiter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/limited_wait.h"

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

RequestLimiter::Permit RequestLimiter::Take(Lane& lane, RequestKind kind, Urgency urgency) {
  ++lane.under_way;
  if (urgency == Urgency::kBackground) ++lane.background_under_way;
  return {kind, urgency, lane.halvings};
}

Result<RequestLimiter::Permit> RequestLimiter::Acquire(RequestKind kind, Urgency urgency, const Clock& clock) {
  {
    MutexLock lock(mutex_);
    Lane& lane = lanes_[static_cast<std::size_t>(kind)];
    if (HasRoom(lane, urgency)) return Take(lane, kind, urgency);
  }
  LimitedWait wait(mutex_, room_, clock);
  MutexLock lock(mutex_);
  Lane& lane = lanes_[static_cast<std::size_t>(kind)];
  const std::uint32_t waits = urgency == Urgency::kForeground ? 1 : 0;
  lane.foreground_waiting += waits;
  std::optional<Error> limit;
  while (!HasRoom(lane, urgency) && !(limit = LimitReached(clock, "waiting for other requests to end"))) {
    wait.Wait(mutex_);
  }
  lane.foreground_waiting -= waits;
  if (!limit) return Take(lane, kind, urgency);
  // What stood back for this one may go now.
  room_.NotifyAll();
  return *std::move(limit);
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
