#include "tier/trusted_time.h"

#include <algorithm>

#include "base/bugs.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeadMax = std::chrono::hours(24);       // of a wall clock that is believed at start
constexpr milliseconds kLeadNormal = std::chrono::minutes(10);  // what time servers and short sleeps bring
constexpr std::chrono::nanoseconds kBelieveAfter = std::chrono::hours(24);
static_assert(kLeadNormal < kLeadMax, "what is nothing unusual is believed");

}  // namespace

TrustedTime::TrustedTime(Clock& clock) : clock_(clock), anchor_ms_(clock.WallMs()), anchor_(clock.Monotonic()) {}

void TrustedTime::Start(std::optional<std::int64_t> kept_ms, Kept kept) {
  MutexLock lock(mutex_);
  anchor_ms_ = clock_.WallMs();
  anchor_ = clock_.Monotonic();
  ahead_since_.reset();
  doubted_until_.reset();
  if (kept == Kept::kUnreadable) doubted_until_ = anchor_ + kBelieveAfter;
  if (Planted(Bug::kTierJumpBelieved)) kept_ms.reset();
  if (kept_ms && (anchor_ms_ < *kept_ms || anchor_ms_ - *kept_ms > kLeadMax.count())) anchor_ms_ = *kept_ms;
  (void)NowMs();
}

std::int64_t TrustedTime::NowMs() const {
  const auto now = clock_.Monotonic();
  const std::int64_t wall_ms = clock_.WallMs();
  const std::int64_t now_ms = anchor_ms_ + std::chrono::duration_cast<milliseconds>(now - anchor_).count();
  if (doubted_until_ && now >= *doubted_until_) doubted_until_.reset();
  if (wall_ms <= now_ms) {
    ahead_since_.reset();
    return now_ms;
  }
  if (!ahead_since_) ahead_since_ = now;
  if (now - *ahead_since_ < kBelieveAfter) return now_ms;
  anchor_ms_ = wall_ms;
  anchor_ = now;
  ahead_since_.reset();
  return wall_ms;
}

std::int64_t TrustedTime::WallMs() const {
  MutexLock lock(mutex_);
  return NowMs();
}

std::int64_t TrustedTime::CommitMs() const {
  MutexLock lock(mutex_);
  const std::int64_t now_ms = NowMs();
  return doubted_until_ || clock_.WallMs() - now_ms > kLeadNormal.count() ? 0 : now_ms;
}

bool TrustedTime::doubted() const {
  MutexLock lock(mutex_);
  const std::int64_t now_ms = NowMs();
  return doubted_until_ || clock_.WallMs() - now_ms > kLeadMax.count();
}

bool TrustedTime::known() const {
  MutexLock lock(mutex_);
  (void)NowMs();
  return !doubted_until_;
}

void TrustedTime::Trust() {
  MutexLock lock(mutex_);
  anchor_ms_ = std::max(NowMs(), clock_.WallMs());
  anchor_ = clock_.Monotonic();
  ahead_since_.reset();
  doubted_until_.reset();
}

}  // namespace millrace
