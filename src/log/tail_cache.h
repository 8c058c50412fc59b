// The newest batches of all partitions, in memory: counted slices under one byte budget. A tail read ends here, without
// I/O and without a copy.
//
//   append ──Reserve──► slice in the log's newest run ──Announce, as a run begins──► runs of all logs, oldest first
//                                                                                       │ a Reserve needs room
//   budget ◄──Release── the run's log drops it ◄──────────GiveUpRuns────────────────────┘
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace millrace {

/// A log that holds slices.
class TailOwner {
 public:
  virtual ~TailOwner() = default;
  /// Drops its slices up to and with those of run `number`. Takes the owner's mutex.
  virtual void GiveUpRuns(std::uint64_t number) = 0;
};

/// An interval of slices of one log that were appended one after the other; given up whole. Alive while its log holds
/// any of them.
struct TailRun {
  std::weak_ptr<TailOwner> owner;
  std::uint64_t number = 0;
};

/// Memory of one size for slices, used again: appenders neither fault it in anew nor meet at the allocator's locks,
/// whichever thread lets go of it. Keeps a few blocks that are out of use. Safe from any thread.
class TailBlocks : public std::enable_shared_from_this<TailBlocks> {
 public:
  static constexpr std::size_t kBlockBytes = 32 << 10;
  static constexpr std::size_t kSpareMax = 64;

  TailBlocks() = default;
  ~TailBlocks();
  TailBlocks(const TailBlocks&) = delete;
  TailBlocks& operator=(const TailBlocks&) = delete;
  /// kBlockBytes, not initialised. Comes back when the last owner lets go of it, which may be after the cache has gone.
  [[nodiscard]] std::shared_ptr<std::byte[]> Take() MR_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t spare() const MR_EXCLUDES(mutex_);

 private:
  void GiveBack(std::byte* block) MR_EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::vector<std::byte*> spare_ MR_GUARDED_BY(mutex_);
};

/// The shared budget; each PartitionLog keeps its own runs of slices and gives up its oldest when asked. Safe from any
/// thread.
class TailCache {
 public:
  explicit TailCache(std::uint64_t bytes_max);
  /// All of the budget has come back.
  ~TailCache();
  TailCache(const TailCache&) = delete;
  TailCache& operator=(const TailCache&) = delete;

  /// Takes `bytes` out of the budget, giving up the oldest runs of any log for it. False: they do not fit even so. No
  /// log's mutex held.
  [[nodiscard]] bool Reserve(std::uint64_t bytes) MR_EXCLUDES(mutex_);
  void Release(std::uint64_t bytes) {
    [[maybe_unused]] const std::uint64_t held = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    MR_DCHECK(held >= bytes, held, bytes);
  }
  /// A run began. Its log's mutex may be held: this lock is below it.
  void Announce(const std::shared_ptr<TailRun>& run) MR_EXCLUDES(mutex_);

  [[nodiscard]] TailBlocks& blocks() { return *blocks_; }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }
  /// A run is closed when it has this much.
  [[nodiscard]] std::uint64_t run_bytes() const { return run_bytes_; }

 private:
  /// False: no partition has anything to give.
  bool GiveUpOldest() MR_EXCLUDES(mutex_);

  const std::uint64_t bytes_max_, run_bytes_;
  const std::shared_ptr<TailBlocks> blocks_ = std::make_shared<TailBlocks>();
  std::atomic<std::uint64_t> bytes_{0};
  Mutex mutex_;
  std::deque<std::weak_ptr<TailRun>> runs_ MR_GUARDED_BY(mutex_);  // oldest first; some may be gone already
  std::size_t prune_at_ MR_GUARDED_BY(mutex_) = 1024;
};

}  // namespace millrace
