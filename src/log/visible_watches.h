// Standing interest in a partition's visible end: a watch is made once and armed as often as its reader has come to the
// end. Where a waiter (OffsetWaiters) is one call, a watch is one object that is called again and again, so that a poll
// over many partitions makes and drops nothing.
//
//   unarmed ──Arm(beyond)──► armed ──visible end > beyond, log_start moves, the log ends──► unarmed, OnVisible
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "log/offset_waiters.h"
#include "millrace/types.h"

namespace millrace {

/// Of one log, for good.
class VisibleWatch {
 public:
  virtual ~VisibleWatch() = default;
  /// The visible end is past what it was armed for, or a look is worth while for another reason: log_start has moved,
  /// the log has ended, or the sync that it waited for failed. Once for each arming, on the appender's or the syncing
  /// thread, under no lock; it may append, but not block. It may run when the watch has just been disarmed.
  virtual void OnVisible() = 0;

 private:
  friend class VisibleWatches;
  static constexpr std::size_t kUnarmed = SIZE_MAX;
  std::size_t place_ = kUnarmed;  // guarded by the log's mutex
};

/// Those of one log that are armed. Not thread-safe: guarded by its log's mutex. Calls are taken out under it and run
/// after it is released; they keep their watch alive.
class VisibleWatches {
 public:
  [[nodiscard]] bool empty() const { return armed_.empty(); }
  [[nodiscard]] std::size_t size() const { return armed_.size(); }

  /// Of a watch that is armed already, the new offset counts.
  void Arm(const std::shared_ptr<VisibleWatch>& watch, Offset beyond) {
    lowest_ = std::min(lowest_, beyond);
    if (watch->place_ != VisibleWatch::kUnarmed) {
      armed_[watch->place_].beyond = beyond;
      return;
    }
    watch->place_ = armed_.size();
    armed_.push_back({beyond, watch});
  }
  void Disarm(VisibleWatch& watch) {
    if (watch.place_ != VisibleWatch::kUnarmed) TakeAt(watch.place_);
  }
  /// Those armed for something below `visible_end`. Cost: one comparison if there are none.
  void TakeBelow(Offset visible_end, std::vector<WakeCall>& taken) {
    if (lowest_ >= visible_end) return;
    lowest_ = kNone;
    for (std::size_t at = 0; at < armed_.size();) {
      if (armed_[at].beyond < visible_end) {
        taken.push_back(CallOf(TakeAt(at)));
      } else {
        lowest_ = std::min(lowest_, armed_[at].beyond);
        ++at;
      }
    }
  }
  void TakeAll(std::vector<WakeCall>& taken) {
    while (!armed_.empty()) taken.push_back(CallOf(TakeAt(armed_.size() - 1)));
    lowest_ = kNone;
  }

 private:
  static constexpr Offset kNone{std::numeric_limits<std::int64_t>::max()};
  struct Armed {
    Offset beyond;
    std::shared_ptr<VisibleWatch> watch;
  };

  static WakeCall CallOf(std::shared_ptr<VisibleWatch> watch) {
    return [watch = std::move(watch)] { watch->OnVisible(); };
  }
  std::shared_ptr<VisibleWatch> TakeAt(std::size_t place) {
    std::shared_ptr<VisibleWatch> taken = std::move(armed_[place].watch);
    taken->place_ = VisibleWatch::kUnarmed;
    if (place + 1 < armed_.size()) {
      armed_[place] = std::move(armed_.back());
      armed_[place].watch->place_ = place;
    }
    armed_.pop_back();
    return taken;
  }

  std::vector<Armed> armed_;
  Offset lowest_ = kNone;  // none is armed for less
};

}  // namespace millrace
