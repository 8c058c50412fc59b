// Steps for whoever owns the threads: drain, timed sync, idle mark; and sleeping until one is due.
#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kIdle{10};
/// Under None and Interval nobody waits for the disk: write when so much of the ring is full.
constexpr std::uint64_t kDrainDivisor = 4;

}  // namespace

bool DiskWal::MarkNeeded() const {
  const WalPosition durable(durable_end_.load(std::memory_order_relaxed));
  return active_usable_ && payload_end_ > proved_ && durable > proved_;
}

bool DiskWal::IdleWork() const {
  if (!active_usable_ || poison_ || closing_) return false;
  const WalPosition end(end_.load(std::memory_order_relaxed)), durable(durable_end_.load(std::memory_order_relaxed));
  const bool unsynced = options_.sync.kind == SyncPolicy::Kind::kEach && end > durable;
  return end > written_end_ || unsynced || MarkNeeded() || ring_->large_size() > 0;
}

bool DiskWal::IntervalWork() const {
  if (!active_usable_ || poison_ || closing_) return false;
  return options_.sync.kind == SyncPolicy::Kind::kInterval &&
         end_.load(std::memory_order_relaxed) > durable_end_.load(std::memory_order_relaxed);
}

bool DiskWal::DrainDue() const {
  const WalPosition end(end_.load(std::memory_order_relaxed));
  return !gate_.led() && options_.sync.kind != SyncPolicy::Kind::kEach &&
         static_cast<std::uint64_t>(end - written_end_) >= ring_->size() / kDrainDivisor;
}

bool DiskWal::HasWork() const {
  if (poison_ && !completions_.empty()) return true;
  if (closing_ || poison_ || !active_usable_) return false;
  if (!gate_.led() && !completions_.empty()) return true;
  if (!timer_armed_ && (IdleWork() || IntervalWork())) return true;
  return DrainDue() || (touching_ && !gate_.led()) || WantsFile();
}

void DiskWal::WakeSleeper() {
  if (sleepers_ == 0 || wake_pending_) return;
  wake_pending_ = true;
  ++wakes_;
  work_.NotifyAll();
}

Result<bool> DiskWal::CommitOnce() {
  bool failed = false;
  {
    MutexLock lock(mutex_);
    failed = poison_ && !completions_.empty();
    if (failed) completions_.Release(WalPosition(announced_end_.load(std::memory_order_relaxed)), &*poison_);
  }
  if (failed) {  // staging failed, and no leader was there to tell them
    completions_.RunReleased();
    return true;
  }
  {
    MutexLock lock(mutex_);
    if (poison_ || closed_ || !active_usable_ || gate_.led()) return false;
    const WalPosition end(end_.load(std::memory_order_relaxed));
    const bool waited_for = !completions_.empty();
    const bool full = DrainDue();
    const bool each =
        options_.sync.kind == SyncPolicy::Kind::kEach && end.value() > durable_end_.load(std::memory_order_relaxed);
    if (!waited_for && !each && !full && !ring_->holds_large()) return false;
    MR_CHECK(gate_.TryLead());
  }
  MR_TRY(LeadGroup(Lead::kDrain));
  return true;
}

Result<bool> DiskWal::SyncDueOnce() {
  const auto now = clock_.Monotonic();
  std::optional<Lead> lead;
  {
    MutexLock lock(mutex_);
    const bool idle_work = IdleWork();
    timer_armed_ = idle_work || IntervalWork();
    if (!timer_armed_) return false;
    if (gate_.led()) {
      idle_since_ = now;
      return false;
    }
    if (IntervalWork() && now - last_sync_at_ >= options_.sync.interval) {
      if (Planted(Bug::kWalIntervalSyncNeverFires)) return false;
      lead = Lead::kSync;
    } else if (!idle_work) {
      return false;
    } else if (seen_frames_ != stats_.frames) {
      seen_frames_ = stats_.frames;
      idle_since_ = now;
      return false;
    } else if (now - idle_since_ >= kIdle) {
      lead = LeadWhenIdle();
    }
    if (lead) MR_CHECK(gate_.TryLead());
  }
  if (!lead) return DropLargeArea();
  MR_TRY(LeadGroup(*lead));
  return true;
}

/// What ten quiet milliseconds ask for: write and sync what lies staged, then say by a mark that it was synced.
std::optional<DiskWal::Lead> DiskWal::LeadWhenIdle() {
  const WalPosition end(end_.load(std::memory_order_relaxed)), durable(durable_end_.load(std::memory_order_relaxed));
  const bool each = options_.sync.kind == SyncPolicy::Kind::kEach;
  if (end > written_end_ || (each && end > durable)) return each ? Lead::kSync : Lead::kDrain;
  if (!MarkNeeded()) return std::nullopt;
  if (StageMark()) return each ? Lead::kSync : Lead::kDrain;
  proved_ = payload_end_;  // no room for a mark; the next frame says as much
  return std::nullopt;
}

Result<bool> DiskWal::DropLargeArea() {
  std::unique_ptr<StagingArea> area;
  StagingRing* ring = nullptr;
  {
    MutexLock lock(mutex_);
    ring = ring_.get();
    if (ring_->large_size() == 0 || ring_->holds_large() || clock_.Monotonic() - idle_since_ < kIdle) return false;
    if (!gate_.TryLead()) return false;
    area = ring_->ExchangeLarge(nullptr);
  }
  area.reset();
  ring->RemoveLarge();
  MutexLock lock(mutex_);
  EndLeadership();
  return true;
}

bool DiskWal::StageMark() {
  if (MakePlace(WalFrameBytes(0), WalFrameKind::kMark) != Missing::kNothing) return false;
  if (!Stage({.kind = WalFrameKind::kMark}, {})) return false;
  seen_frames_ = stats_.frames;
  return !poison_;
}

std::optional<std::chrono::nanoseconds> DiskWal::NextDue() const {
  MutexLock lock(mutex_);
  std::optional<std::chrono::nanoseconds> due;
  if (!timer_armed_ && (IdleWork() || IntervalWork())) return clock_.Monotonic();
  if (IdleWork()) due = idle_since_ + kIdle;
  if (IntervalWork()) {
    auto sync_at = DeadlineAfter(last_sync_at_, options_.sync.interval);
    // Whoever leads may be held up in a sync, and nothing is to be done until he is back: no reason to look all the
    // time.
    if (gate_.led()) sync_at = std::max(sync_at, DeadlineAfter(clock_.Monotonic(), kIdle));
    due = std::min(due.value_or(kNever), sync_at);
  }
  if (build_again_at_ && LacksFile()) due = std::min(due.value_or(kNever), *build_again_at_);
  return due;
}

void DiskWal::AwaitWork(std::optional<std::chrono::nanoseconds> deadline) {
  MutexLock lock(mutex_);
  ++sleepers_;
  while (wakes_ == seen_wakes_ && !HasWork()) {
    if (!deadline) {
      work_.Wait(mutex_);
      continue;
    }
    const auto left = TimeLeft(*deadline, clock_.Monotonic());
    if (left == left.zero() || !work_.WaitFor(mutex_, left)) break;
  }
  seen_wakes_ = wakes_;
  --sleepers_;
  wake_pending_ = false;
}

void DiskWal::Wake() {
  MutexLock lock(mutex_);
  ++wakes_;
  work_.NotifyAll();
}

}  // namespace millrace
