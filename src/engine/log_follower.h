// Keeps the rows of an engine that follows a log in step with the object store that somebody else writes to.
//
//   look ─► news ─► rows ─► readers        by a thread of its own: a second after anything came, up to ten while
//   nothing
//                                          does; and by a reader who is told that an object is not there
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "base/shared_call.h"
#include "engine/events.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "millrace/statistics.h"
#include "tier/followed_log.h"
#include "tier/followed_rows.h"
#include "tier/store_keys.h"

namespace millrace {

/// What the engine does with the news, on the thread that looks, under no lock. One look at a time.
struct FollowerEngine {
  /// Before the rows change: what lies below a partition's start is gone.
  std::function<void(const FollowedNews&)> move_starts;
  /// After it: partitions go on, topics come and go.
  std::function<Result<void>(const FollowedNews&, std::span<const FollowedChange>)> take;
};

/// Safe from any thread.
class LogFollower {
 public:
  /// `objects` retries; all of them outlive it.
  LogFollower(ObjectStore& objects, StoreKeys keys, std::size_t requests_at_once, MetadataStore& rows, Clock& clock,
              Events& events, FollowerEngine engine);
  ~LogFollower();

  /// First: the rows are there when it returns. Errors: those of FollowedLog::Load.
  Result<void> Load();
  /// A step: what has come since is readable when it returns; true: something did. Joins one that is under way.
  Result<bool> LookOnce(LookDepth depth);
  /// A reader was told that an object is not there: it may have been collected. What the store tells now is readable
  /// when this returns.
  void OnMissing() { (void)LookOnce(LookDepth::kThorough); }

  /// `gate`: its thread counts as inside.
  Result<void> Start(const CallGate& gate);
  /// The thread ends, after the look that it is in.
  void Stop();

  [[nodiscard]] FollowStatistics Stats() const;

 private:
  Result<bool> Look(LookDepth depth);
  Result<void> Apply(const FollowedNews& news);
  void Note(const Result<bool>& looked);
  void Loop(const std::stop_token& stop);

  Clock& clock_;
  Events& events_;
  const FollowerEngine engine_;
  SharedCall<bool> looking_;  // what follows is of the one that looks
  FollowedLog log_;
  FollowedRows rows_;
  std::optional<FollowedNews> owed_;  // news that could not be taken

  mutable Mutex mutex_;
  CondVar stopping_changed_;
  bool stopping_ MR_GUARDED_BY(mutex_) = false;
  FollowStatistics statistics_ MR_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace millrace
