// Steps for the owner of the threads: drain, timed sync, idle mark; and sleeping until one is due.
#include "base/bugs.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

/// Under None and Interval no appender waits for the disk: write when so much of the ring is full.
constexpr std::uint64_t kDrainDivisor = 4;

}  // namespace

IdleClock::Waiting DiskWal::WaitingForClock() const {
  if (!active_usable_ || commit_.poison() || closing_) return {};
  const bool unsynced = commit_.HasUnsynced();
  const bool staged = commit_.HasUnwritten() || (options_.sync.kind == SyncPolicy::Kind::kEach && unsynced);
  return {.for_quiet = staged || commit_.MarkNeeded() || ring_->large_size() > 0, .unsynced = unsynced};
}

IdleClock::Leader DiskWal::LeaderNow() const {
  return gate_.led() ? IdleClock::Leader::kAtWork : IdleClock::Leader::kNone;
}

bool DiskWal::DrainDue() const {
  return !gate_.led() && options_.sync.kind != SyncPolicy::Kind::kEach &&
         commit_.unwritten_bytes() >= ring_->size() / kDrainDivisor;
}

bool DiskWal::HasWork() const {
  if (commit_.poison() && !completions_.empty()) return true;
  if (closing_ || commit_.poison() || !active_usable_) return false;
  if (!gate_.led() && !completions_.empty()) return true;
  if (idle_.LacksAlarm(WaitingForClock())) return true;
  return DrainDue() || (touching_ && !gate_.led()) || WantsFile();
}

void DiskWal::WakeSleeper() {
  if (idle_.CallSleeper()) work_.NotifyAll();
}

Result<bool> DiskWal::CommitOnce() {
  bool failed = false;
  {
    MutexLock lock(mutex_);
    const Error* poison = commit_.poison();
    failed = poison != nullptr && !completions_.empty();
    if (failed) completions_.Release(commit_.announced_end(), poison);
  }
  if (failed) {  // staging failed, and no leader was there to tell them
    completions_.RunReleased();
    return true;
  }
  {
    MutexLock lock(mutex_);
    if (commit_.poison() || closed_ || !active_usable_ || gate_.led()) return false;
    const bool waited_for = !completions_.empty();
    const bool full = DrainDue();
    const bool each = options_.sync.kind == SyncPolicy::Kind::kEach && commit_.HasUnsynced();
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
    switch (idle_.Look(now, WaitingForClock(), stats_.frames, LeaderNow())) {
      case IdleClock::Due::kNothing:
        return false;
      case IdleClock::Due::kSync:
        if (Planted(Bug::kWalIntervalSyncNeverFires)) return false;
        lead = Lead::kSync;
        break;
      case IdleClock::Due::kQuiet:
        lead = LeadWhenIdle();
        break;
    }
    if (lead) MR_CHECK(gate_.TryLead());
  }
  if (!lead) return DropLargeArea();
  MR_TRY(LeadGroup(*lead));
  return true;
}

/// What ten quiet milliseconds ask for: write and sync what lies staged, then say by a mark that it was synced.
std::optional<DiskWal::Lead> DiskWal::LeadWhenIdle() {
  const bool each = options_.sync.kind == SyncPolicy::Kind::kEach;
  if (commit_.HasUnwritten() || (each && commit_.HasUnsynced())) return each ? Lead::kSync : Lead::kDrain;
  if (!commit_.MarkNeeded()) return std::nullopt;
  if (StageMark()) return each ? Lead::kSync : Lead::kDrain;
  commit_.ForgoMark();
  return std::nullopt;
}

Result<bool> DiskWal::DropLargeArea() {
  std::unique_ptr<StagingArea> area;
  StagingRing* ring = nullptr;
  {
    MutexLock lock(mutex_);
    ring = ring_.get();
    if (ring_->large_size() == 0 || ring_->holds_large() || !idle_.IsQuiet(clock_.Monotonic())) return false;
    if (!gate_.TryLead()) return false;
    area = ring_->ExchangeLarge(nullptr);
    MR_CHECK(area != nullptr && ring_->large_size() == 0, ring_->large_size());
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
  idle_.OnMark(stats_.frames);
  return commit_.poison() == nullptr;
}

std::optional<std::chrono::nanoseconds> DiskWal::NextDue() const {
  MutexLock lock(mutex_);
  IdleClock::Waiting waiting = WaitingForClock();
  waiting.for_file = LacksFile();
  return idle_.NextDue(clock_.Monotonic(), waiting, LeaderNow());
}

void DiskWal::AwaitWork(std::optional<std::chrono::nanoseconds> deadline) {
  MutexLock lock(mutex_);
  idle_.BeginSleep();
  while (!idle_.called() && !HasWork()) {
    if (!deadline) {
      work_.Wait(mutex_);
      continue;
    }
    const auto left = TimeLeft(*deadline, clock_.Monotonic());
    if (left == left.zero() || !work_.WaitFor(mutex_, left)) break;
  }
  idle_.EndSleep();
}

void DiskWal::Wake() {
  MutexLock lock(mutex_);
  idle_.Call();
  work_.NotifyAll();
}

}  // namespace millrace
