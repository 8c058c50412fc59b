// The engine's threads. Each is a loop round steps of the rooms below and sleeps while its steps have nothing to do.
//
//   committer    DiskWal::CommitOnce, SyncDueOnce, PrepareFilesOnce   wakes: staged bytes, a due sync, a file wanted
//   uploaders    SegmentUploader::UploadOnce                      wakes: a partition is due
//   completer    AsyncAppends::CompleteOnce                       wakes: an append came further
//   reliever     recycling, hurrying uploads, idle streams        wakes: pressure, its timers
//   keeper       retention, collection, listing                   wakes: something forgotten, its timers
//
// What keeps the log alive stands behind nothing unbounded: the reliever calls no store, and what the keeper does goes
// in steps of a few seconds that end at once when the engine is closed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "engine/async_appends.h"
#include "engine/events.h"
#include "millrace/clock.h"
#include "millrace/statistics.h"
#include "prefetch/prefetcher.h"
#include "tier/log_snapshots.h"
#include "tier/object_collector.h"
#include "tier/retention_policy.h"
#include "tier/segment_uploader.h"
#include "tier/tiered_partition.h"
#include "tier/trusted_time.h"
#include "tier/wal_recycler.h"
#include "wal/disk_wal.h"

namespace millrace {

/// What the threads run; a simulator calls the same steps itself. Members outlive it.
struct HousekeeperSteps {
  DiskWal& wal;
  SegmentUploader& uploader;
  AsyncAppends& async;
  RetentionPolicy& retention;
  LogSnapshots& snapshots;
  ObjectCollector& collector;
  WalRecycler& recycler;
  TieredPartitions& partitions;
  Prefetcher& prefetcher;
  Clock& clock;
  const CallGate& calls;  // its threads count as inside: nothing called on them can close the engine
  TrustedTime& time;
  Events& events;
  std::uint64_t look_after_bytes;                  // uploaded since the keeper's last look: what has a size is full
  std::function<Result<void>()> keep_time;         // on the disk, for the next process
  std::function<Result<void>()> reconcile_topics;  // after a change of topics whose outcome is unknown
};

/// Safe from any thread.
class Housekeeper {
 public:
  explicit Housekeeper(const HousekeeperSteps& steps) : steps_(steps) {}
  ~Housekeeper();

  /// kUnavailable: the system gives too few threads; those that did start end with Stop….
  Result<void> Start();
  /// Steps under way, those of Maintain too, end soon; what they ask of a store ends now.
  void RequestStop();
  /// The uploaders, the reliever and the keeper end, after the step they are in.
  void StopBackground();
  /// The rest ends too; the WAL is closed by then.
  void StopForeground();

  /// An appender waits for room in the WAL.
  void OnPressure();
  /// After each sync: looks whether the WAL fills up.
  void OnDurable();
  /// Something was forgotten, or a setting changed that says when to forget.
  void Poke();

  // The reliever's step: recycling and hurrying uploads.
  void RelievePressure();
  /// Retention and collection, the latter for some seconds at most. Errors are those of the object store or of
  /// metadata, and are tried again later.
  Result<void> KeepOnce();
  struct MaintenanceLimits {
    std::optional<std::chrono::milliseconds> time_max;
    bool objects_are_near = false;
  };
  /// What is due of uploads, retention, collection and recycling, until there is nothing or the time is over.
  Result<MaintenanceReport> Maintain(const MaintenanceLimits& limits);
  /// Of the keeper's last look, while it lasts.
  [[nodiscard]] std::optional<BackgroundFailure> failure() const;

 private:
  void CommitLoop(const std::stop_token& stop);
  void UploadLoop(const std::stop_token& stop);
  void CompleteLoop(const std::stop_token& stop);
  void RelieveLoop(const std::stop_token& stop);
  void KeepLoop(const std::stop_token& stop);
  /// Whether metadata could tell which topics there are.
  bool Look();
  void Note(const Result<void>& kept);
  Result<void> UploadDue(const MaintenanceLimits& limits, bool& finished);
  void Pause(const std::stop_token& stop);
  using Loop = void (Housekeeper::*)(const std::stop_token&);
  Result<void> StartLoop(std::vector<std::jthread>& threads, Loop loop);

  const HousekeeperSteps steps_;
  std::stop_source stop_;
  mutable Mutex mutex_;
  CondVar pressed_, changed_, paused_;
  std::optional<BackgroundFailure> failure_ MR_GUARDED_BY(mutex_);
  std::optional<std::chrono::nanoseconds> list_at_ MR_GUARDED_BY(mutex_);  // none: with the next look
  bool pressure_ MR_GUARDED_BY(mutex_) = false, poked_ MR_GUARDED_BY(mutex_) = false;
  bool stopping_ MR_GUARDED_BY(mutex_) = false;
  std::atomic<bool> more_{false};     // objects to collect or to list, at once
  std::atomic<bool> hurried_{false};  // uploads are, until the WAL has room again
  std::atomic<std::uint64_t> bytes_at_look_{0};
  std::vector<std::jthread> background_, foreground_;
};

}  // namespace millrace
