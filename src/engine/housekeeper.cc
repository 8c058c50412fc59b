#include "engine/housekeeper.h"

#include <algorithm>

#include "base/try.h"

namespace millrace {
namespace {

constexpr std::size_t kUploaders = 4;
constexpr std::chrono::milliseconds kPauseAfterError{20};
constexpr std::chrono::seconds kFirstLook{10};    // after opening: what earlier processes left behind
constexpr std::chrono::minutes kLookAtLeast{10};  // at objects to be removed
constexpr std::chrono::hours kListEvery{24};      // for objects nobody knows
constexpr std::chrono::milliseconds kPressureLook{50};

}  // namespace

Housekeeper::~Housekeeper() {
  StopBackground();
  StopForeground();
}

void Housekeeper::Start() {
  foreground_.emplace_back([this](const std::stop_token& stop) { CommitLoop(stop); });
  foreground_.emplace_back([this](const std::stop_token& stop) { CompleteLoop(stop); });
  for (std::size_t i = 0; i < kUploaders; ++i)
    background_.emplace_back([this](const std::stop_token& stop) { UploadLoop(stop); });
  background_.emplace_back([this](const std::stop_token& stop) { KeepLoop(stop); });
}

void Housekeeper::StopBackground() {
  for (auto& thread : background_) thread.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
    paused_.NotifyAll();
  }
  steps_.uploader.schedule().Wake();
  background_.clear();
}

void Housekeeper::StopForeground() {
  for (auto& thread : foreground_) thread.request_stop();
  if (!foreground_.empty()) {
    steps_.wal.Wake();
    steps_.async.Wake();
  }
  foreground_.clear();
}

/// After an error that no step can wait out by itself.
void Housekeeper::Pause(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  if (!stopping_ && !stop.stop_requested()) paused_.WaitFor(mutex_, kPauseAfterError);
}

void Housekeeper::CommitLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto committed = steps_.wal.CommitOnce();
    const auto synced = steps_.wal.SyncDueOnce();
    const auto prepared = steps_.wal.PrepareFilesOnce();
    if (!committed || !synced || !prepared) Pause(stop);
    const auto did = [](const Result<bool>& step) { return step && *step; };
    if (did(committed)) OnDurable();
    if (did(committed) || did(synced) || did(prepared)) continue;
    if (!stop.stop_requested()) steps_.wal.AwaitWork(steps_.wal.NextDue());
  }
}

void Housekeeper::CompleteLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!steps_.async.CompleteOnce()) steps_.async.AwaitWork();
  }
  while (steps_.async.CompleteOnce()) {
  }
}

void Housekeeper::UploadLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto uploaded = steps_.uploader.UploadOnce();  // a failed range waits by itself
    if (uploaded && !*uploaded) {
      steps_.uploader.schedule().AwaitWork(stop);
    } else if (uploaded) {
      if (hurried_.load(std::memory_order_relaxed)) OnPressure();
    }
  }
}

void Housekeeper::OnPressure() {
  MutexLock lock(mutex_);
  pressure_ = true;
  changed_.NotifyAll();
}

void Housekeeper::OnDurable() {
  if (!hurried_.load(std::memory_order_relaxed) && steps_.recycler.WantsUpload()) OnPressure();
}

void Housekeeper::Poke() {
  MutexLock lock(mutex_);
  poked_ = true;
  changed_.NotifyAll();
}

void Housekeeper::RelievePressure() {
  if (steps_.recycler.WantsUpload()) (void)steps_.retention.ForgetConsumedOnce(steps_.partitions);
  if (steps_.recycler.WantsSpace()) (void)steps_.recycler.RecycleOnce(steps_.partitions, Wal::Seal::kKeepActive);
  const bool hurry = steps_.recycler.WantsUpload();
  hurried_.store(hurry, std::memory_order_relaxed);
  steps_.uploader.schedule().SetPressure(hurry);
}

Result<void> Housekeeper::KeepOnce() {
  steps_.prefetcher.DropIdle();
  // What was consumed is not uploaded: its files come back now, without anybody being short of them.
  const auto consumed = steps_.retention.ForgetConsumedOnce(steps_.partitions);
  if (consumed && *consumed) (void)steps_.recycler.RecycleOnce(steps_.partitions, Wal::Seal::kKeepActive);
  auto retained = steps_.retention.RetainOnce(steps_.partitions);
  Result<bool> collected = true;
  while (collected && *collected) collected = steps_.collector.CollectOnce();
  if (!consumed) return consumed.error();
  if (!retained) return std::move(retained).error();
  if (!collected) return std::move(collected).error();
  return {};
}

void Housekeeper::KeepLoop(const std::stop_token& stop) {
  auto look_at = steps_.clock.Monotonic() + kFirstLook;
  auto list_at = steps_.clock.Monotonic() + kListEvery;
  while (!stop.stop_requested()) {
    bool pressure = false, look = false;
    {
      MutexLock lock(mutex_);
      const auto now = steps_.clock.Monotonic();
      const auto wake_at = std::min<std::chrono::nanoseconds>(
          look_at, now + (hurried_.load() ? std::chrono::nanoseconds(kPressureLook) : Prefetcher::kIdleMax));
      while (!stopping_ && !pressure_ && !poked_ && steps_.clock.Monotonic() < wake_at)
        if (!changed_.WaitFor(mutex_, wake_at - steps_.clock.Monotonic())) break;
      if (stopping_) return;
      pressure = std::exchange(pressure_, false) || hurried_.load();
      look = std::exchange(poked_, false) || steps_.clock.Monotonic() >= look_at;
    }
    if (pressure) RelievePressure();
    if (!look) {
      steps_.prefetcher.DropIdle();
      continue;
    }
    (void)KeepOnce();
    if (steps_.clock.Monotonic() >= list_at) {
      (void)steps_.collector.ProposeOrphans();
      list_at = steps_.clock.Monotonic() + kListEvery;
    }
    const auto interval = RetentionPolicy::Interval(steps_.partitions);
    look_at =
        steps_.clock.Monotonic() + std::min<std::chrono::nanoseconds>(interval.value_or(kLookAtLeast), kLookAtLeast);
  }
}

}  // namespace millrace
