// Trusted time: what ages and graces are counted by. Wall clocks jump, and what retention deletes is gone; so this time
// moves forward only: within a process with the monotonic clock, from one process to the next in a file.
//
//   wall at start     behind the kept time: counts on from the kept time     up to a day ahead: believed
//                     more than a day ahead: doubted                         nothing kept: believed
//   a wall clock that stays ahead for 24 hours of running is believed then; Trust believes it at once
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "millrace/clock.h"

namespace millrace {

/// Safe from any thread. As a Clock its wall time is trusted time.
class TrustedTime final : public Clock {
 public:
  /// Believes `clock` until Start.
  explicit TrustedTime(Clock& clock);

  enum class Kept { kKnown, kUnreadable };
  /// At opening: the time an earlier process kept, or none. kUnreadable: there was one that cannot be read; then the
  /// clock is doubted whatever it says.
  void Start(std::optional<std::int64_t> kept_ms, Kept kept = Kept::kKnown);

  [[nodiscard]] std::int64_t WallMs() const override;
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override { return clock_.Monotonic(); }
  /// The time of a commit, for its row; 0 while the wall clock is well ahead, so that a belief that comes later ages
  /// nothing at one stroke.
  [[nodiscard]] std::int64_t CommitMs() const;
  /// While true nothing is deleted for its age.
  [[nodiscard]] bool doubted() const;
  /// False after kUnreadable until the clock is believed: this time is nothing to keep.
  [[nodiscard]] bool known() const;
  /// The operator looked at the clock: it is right.
  void Trust();

 private:
  std::int64_t NowMs() const MR_REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  // NowMs is anchor_ms_ at anchor_; it moves when a wall clock that was ahead for long is believed.
  mutable std::int64_t anchor_ms_ MR_GUARDED_BY(mutex_);
  mutable std::chrono::nanoseconds anchor_ MR_GUARDED_BY(mutex_);
  mutable std::optional<std::chrono::nanoseconds> ahead_since_ MR_GUARDED_BY(mutex_);
  mutable std::optional<std::chrono::nanoseconds> doubted_until_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
