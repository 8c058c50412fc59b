// Inside the tail cache: the budget, and whose run of slices is the oldest.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include "base/mutex.h"
#include "log/tail_cache.h"

namespace millrace {

/// A log that holds slices.
class TailOwner {
 public:
  virtual ~TailOwner() = default;
  /// Drops its slices up to and with those of run `number`. Takes the owner's mutex.
  virtual void GiveUpRuns(std::uint64_t number) = 0;
};

/// A stretch of slices of one log that were appended one after the other; given up whole. Alive while its log holds any
/// of them.
struct TailRun {
  std::weak_ptr<TailOwner> owner;
  std::uint64_t number = 0;
};

struct TailCache::State {
  explicit State(std::uint64_t bytes_max);

  /// Takes `bytes` out of the budget, giving up the oldest runs of any log for it. False: they do not fit even so. No
  /// log's mutex held.
  bool Reserve(std::uint64_t bytes);
  void Release(std::uint64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  /// A run began. Its log's mutex may be held: this lock is below it.
  void Announce(const std::shared_ptr<TailRun>& run);

  const std::uint64_t bytes_max;
  const std::uint64_t run_bytes;  // a run is closed when it has this much
  std::atomic<std::uint64_t> bytes_{0};

 private:
  /// False: nobody has anything to give.
  bool GiveUpOldest();

  Mutex mutex_;
  std::deque<std::weak_ptr<TailRun>> runs_ MR_GUARDED_BY(mutex_);  // oldest first; some may be gone already
  std::size_t prune_at_ MR_GUARDED_BY(mutex_) = 1024;
};

}  // namespace millrace
