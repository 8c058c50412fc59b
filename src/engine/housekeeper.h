// The engine's threads. Each is a loop round steps of the rooms below and sleeps while its steps have nothing to do.
//
//   committer    Wal::CommitOnce, SyncDueOnce, PrepareFilesOnce   wakes: staged bytes, a due sync, a file wanted
//   uploaders    SegmentUploader::UploadOnce                      wakes: a partition is due
//   completer    AsyncAppends::CompleteOnce                       wakes: an append came further
//   keeper       retention, collection, recycling, idle streams   wakes: pressure, something forgotten, its timers
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "engine/async_appends.h"
#include "millrace/clock.h"
#include "read/prefetcher.h"
#include "tier/object_collector.h"
#include "tier/retention_policy.h"
#include "tier/segment_uploader.h"
#include "tier/tiered_partition.h"
#include "tier/wal_recycler.h"
#include "wal/wal.h"

namespace millrace {

/// What the threads run; a simulator calls the same steps itself. Members outlive it.
struct HousekeeperSteps {
  Wal& wal;
  SegmentUploader& uploader;
  AsyncAppends& async;
  RetentionPolicy& retention;
  ObjectCollector& collector;
  WalRecycler& recycler;
  TieredPartitions& partitions;
  Prefetcher& prefetcher;
  Clock& clock;
};

/// Safe from any thread.
class Housekeeper {
 public:
  explicit Housekeeper(const HousekeeperSteps& steps) : steps_(steps) {}
  ~Housekeeper();

  void Start();
  /// The uploaders and the keeper end, after the step they are in.
  void StopBackground();
  /// The rest ends too; the WAL is closed by then.
  void StopForeground();

  /// Somebody waits for room in the WAL.
  void OnPressure();
  /// After each sync: looks whether the WAL fills up.
  void OnDurable();
  /// Something was forgotten, or a setting changed that says when to forget.
  void Poke();

  // The keeper's step: recycling and hurrying uploads.
  void RelievePressure();
  /// Retention and collection. Errors are those of the object store or of metadata, and are tried again later.
  Result<void> KeepOnce();

 private:
  void CommitLoop(const std::stop_token& stop);
  void UploadLoop(const std::stop_token& stop);
  void CompleteLoop(const std::stop_token& stop);
  void KeepLoop(const std::stop_token& stop);
  void Pause(const std::stop_token& stop);

  const HousekeeperSteps steps_;
  Mutex mutex_;
  CondVar changed_, paused_;
  bool pressure_ MR_GUARDED_BY(mutex_) = false, poked_ MR_GUARDED_BY(mutex_) = false;
  bool stopping_ MR_GUARDED_BY(mutex_) = false;
  std::atomic<bool> hurried_{false};  // uploads are, until the WAL has room again
  std::vector<std::jthread> background_, foreground_;
};

}  // namespace millrace
