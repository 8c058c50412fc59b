// How many requests may be under way at one endpoint: half as many after it said "slow down", one more for each round
// it did not. Each kind of request has a limit of its own, so that throttled puts slow no gets; where room is short,
// what no reader waits for goes last.
#pragma once

#include <array>
#include <cstdint>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

enum class RequestKind { kGet, kPut, kList, kDelete };
inline constexpr std::size_t kRequestKinds = 4;

enum class Urgency { kForeground, kBackground };

/// Source: additive increase, multiplicative decrease, as TCP's congestion control. Safe from any thread.
class RequestLimiter {
 public:
  struct Options {
    double limit_first = 64, limit_min = 1, limit_max = 256;  // requests under way, of one kind
  };
  enum class Outcome { kDone, kThrottled };

  /// Permission for one request, given back with what became of it.
  struct Permit {
    RequestKind kind;
    Urgency urgency;
    std::uint64_t round;  // halvings its kind had seen when it began
  };

  RequestLimiter() : RequestLimiter(Options{}) {}
  explicit RequestLimiter(Options options);

  /// Waits for room, within the limits of this thread (RequestScope): kTimeout, kClosed.
  Result<Permit> Acquire(RequestKind kind, Urgency urgency, const Clock& clock) MR_EXCLUDES(mutex_);
  /// kThrottled halves the limit, once for all requests that were under way together.
  void Release(const Permit& permit, Outcome outcome) MR_EXCLUDES(mutex_);

  [[nodiscard]] double limit(RequestKind kind) const MR_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t throttled() const MR_EXCLUDES(mutex_);

 private:
  struct Lane {
    double limit = 0;
    std::uint32_t under_way = 0, background_under_way = 0, foreground_waiting = 0;
    std::uint64_t halvings = 0;
  };
  static bool HasRoom(const Lane& lane, Urgency urgency);
  static Permit Take(Lane& lane, RequestKind kind, Urgency urgency);

  const Options options_;
  mutable Mutex mutex_;
  CondVar room_;
  std::array<Lane, kRequestKinds> lanes_ MR_GUARDED_BY(mutex_);
  std::uint64_t throttled_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
