#include "wal/idle_clock.h"

#include <algorithm>

#include "base/check.h"
#include "base/deadline.h"

namespace millrace {

IdleClock::IdleClock(const SyncPolicy& sync)
    : interval_(sync.kind == SyncPolicy::Kind::kInterval ? std::optional(Saturated(sync.interval)) : std::nullopt) {}

IdleClock::Due IdleClock::Look(std::chrono::nanoseconds now, const Waiting& waiting, std::uint64_t frames,
                               Leader leader) {
  armed_ = Waits(waiting);
  if (!armed_) return Due::kNothing;
  if (leader == Leader::kAtWork) {
    idle_since_ = now;
    return Due::kNothing;
  }
  if (IntervalWaits(waiting) && now - last_sync_at_ >= *interval_) return Due::kSync;
  if (!waiting.for_quiet) return Due::kNothing;
  if (seen_frames_ != frames) {
    seen_frames_ = frames;
    idle_since_ = now;
    return Due::kNothing;
  }
  return IsQuiet(now) ? Due::kQuiet : Due::kNothing;
}

std::optional<std::chrono::nanoseconds> IdleClock::NextDue(std::chrono::nanoseconds now, const Waiting& waiting,
                                                           Leader leader) const {
  if (LacksAlarm(waiting)) return now;
  std::optional<std::chrono::nanoseconds> due;
  if (waiting.for_quiet) due = idle_since_ + kIdle;
  if (IntervalWaits(waiting)) {
    auto sync_at = DeadlineAfter(last_sync_at_, *interval_);
    // The leader may be held up in a sync, and nothing is to be done until it is back: no reason to look all the time.
    if (leader == Leader::kAtWork) sync_at = std::max(sync_at, DeadlineAfter(now, kIdle));
    due = std::min(due.value_or(kNever), sync_at);
  }
  if (build_again_at_ && waiting.for_file) due = std::min(due.value_or(kNever), *build_again_at_);
  return due;
}

void IdleClock::EndSleep() {
  MR_CHECK(sleepers_ > 0 && seen_calls_ <= calls_, sleepers_, seen_calls_, calls_);
  seen_calls_ = calls_;
  --sleepers_;
  call_pending_ = false;
}

bool IdleClock::CallSleeper() {
  if (sleepers_ == 0 || call_pending_) return false;
  call_pending_ = true;
  ++calls_;
  return true;
}

}  // namespace millrace
