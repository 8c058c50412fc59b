// When a step of the log is due by the clock, and when the sleep of the owner of the steps has to end before that.
//
//   the last new frame ──► 10 ms without another one ──► write, sync, and a mark that proves it
//   the last sync ──► the interval of SyncPolicy::Interval ──► sync
//   a file could not be made ──► 200 ms ──► one more attempt
//
// The owner looks (Look), asks until when to sleep (NextDue) and sleeps. While an alarm is set for what waits, new
// frames need not wake the owner: that is what armed() says.
//
// Threads: the log's mutex guards it. It reads no clock; calls that need the time are given it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/check.h"
#include "millrace/options.h"

namespace millrace {

class IdleClock {
 public:
  static constexpr std::chrono::milliseconds kIdle{10};
  static constexpr std::chrono::milliseconds kBuildBackoff{200};

  /// What of the log waits for the clock.
  struct Waiting {
    bool for_quiet = false;  // to be written, synced or marked when no frames come
    bool unsynced = false;   // frames that an interval would sync
    bool for_file = false;   // a file that should be made ahead
  };
  enum class Due { kNothing, kSync, kQuiet };
  enum class Leader { kNone, kAtWork };

  explicit IdleClock(const SyncPolicy& sync);

  /// What is due at `now`, when the log has taken `frames` in all. A new frame since the last look, or a leader at
  /// work, begins the quiet time anew.
  Due Look(std::chrono::nanoseconds now, const Waiting& waiting, std::uint64_t frames, Leader leader);
  /// When Look has something to do next, or a file is to be made; none while nothing waits.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> NextDue(std::chrono::nanoseconds now, const Waiting& waiting,
                                                                Leader leader) const;
  /// Ten milliseconds without a frame or a leader have passed.
  [[nodiscard]] bool IsQuiet(std::chrono::nanoseconds now) const { return now - idle_since_ >= kIdle; }
  void OnSynced(std::chrono::nanoseconds now) { last_sync_at_ = now; }
  /// The log staged a mark and has `frames` now: its own mark is no new frame.
  void OnMark(std::uint64_t frames) {
    MR_CHECK(frames >= seen_frames_, frames, seen_frames_);
    seen_frames_ = frames;
  }

  void OnBuilt() { build_again_at_.reset(); }
  void OnBuildFailed(std::chrono::nanoseconds now) { build_again_at_ = now + kBuildBackoff; }
  [[nodiscard]] bool MayBuild(std::chrono::nanoseconds now) const {
    return !build_again_at_ || now >= *build_again_at_;
  }

  /// The last look found that something waits, so an alarm is set for it.
  [[nodiscard]] bool armed() const { return armed_; }
  /// Something waits that no alarm is set for: the owner has to look.
  [[nodiscard]] bool LacksAlarm(const Waiting& waiting) const { return !armed_ && Waits(waiting); }

  // The sleep of the owner. A call between two sleeps ends the second one.
  [[nodiscard]] bool asleep() const { return sleepers_ > 0; }
  [[nodiscard]] bool called() const { return calls_ != seen_calls_; }
  void BeginSleep() { ++sleepers_; }
  void EndSleep();
  void Call() { ++calls_; }
  /// Calls a sleeper that was not called yet. True: there was one, which has to be notified.
  [[nodiscard]] bool CallSleeper();

 private:
  [[nodiscard]] bool IntervalWaits(const Waiting& waiting) const { return interval_ && waiting.unsynced; }
  [[nodiscard]] bool Waits(const Waiting& waiting) const { return waiting.for_quiet || IntervalWaits(waiting); }

  const std::optional<std::chrono::nanoseconds> interval_;
  std::chrono::nanoseconds idle_since_{}, last_sync_at_{};
  std::uint64_t seen_frames_ = 0;
  bool armed_ = false;
  std::optional<std::chrono::nanoseconds> build_again_at_;
  std::uint64_t sleepers_ = 0, calls_ = 0, seen_calls_ = 0;
  bool call_pending_ = false;
};

}  // namespace millrace
