#include "engine/log_follower.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "env/start_thread.h"

namespace millrace {
namespace {

constexpr std::chrono::seconds kPauseMin{1}, kPauseMax{10};
constexpr std::chrono::seconds kThoroughEvery{60};

}  // namespace

LogFollower::LogFollower(ObjectStore& objects, StoreKeys keys, std::size_t requests_at_once, MetadataStore& rows,
                         Clock& clock, Events& events, FollowerEngine engine)
    : clock_(clock),
      events_(events),
      engine_(std::move(engine)),
      looking_(clock),
      log_(objects, std::move(keys), requests_at_once),
      rows_(rows) {}

LogFollower::~LogFollower() { Stop(); }

Result<void> LogFollower::Load() {
  MR_ASSIGN_OR_RETURN(const FollowedNews news, log_.Load());
  MR_TRY(rows_.Write(news));
  Note(true);
  return {};
}

Result<bool> LogFollower::LookOnce(LookDepth depth) {
  return looking_.Run("a look at the object store that is followed", [this, depth] {
    Result<bool> looked = Look(depth);
    Note(looked);
    return looked;
  });
}

Result<bool> LogFollower::Look(LookDepth depth) {
  if (owed_) MR_TRY(Apply(*owed_));
  MR_ASSIGN_OR_RETURN(owed_, log_.Look(depth));
  const bool any = !owed_->empty();
  if (any) MR_TRY(Apply(*owed_));
  owed_.reset();
  if (rows_.shrunk()) return *rows_.shrunk();
  return any;
}

Result<void> LogFollower::Apply(const FollowedNews& news) {
  engine_.move_starts(news);
  MR_ASSIGN_OR_RETURN(const std::vector<FollowedChange> changes, rows_.Write(news));
  MR_TRY(engine_.take(news, changes));
  return rows_.Tidy(news);
}

void LogFollower::Note(const Result<bool>& looked) {
  if (!looked && (looked.error().code() == ErrorCode::kClosed || looked.error().code() == ErrorCode::kTimeout)) return;
  {
    MutexLock lock(mutex_);
    ++statistics_.looks;
    statistics_.generation = log_.generation();
    statistics_.snapshot_ms = log_.snapshot_ms();
    statistics_.objects = log_.objects();
    if (looked) {
      statistics_.looked_ms = clock_.WallMs();
      statistics_.failure.reset();
      return;
    }
    auto& failure = statistics_.failure;
    if (!failure) failure = BackgroundFailure{.error = looked.error(), .since_ms = clock_.WallMs()};
    failure->error = looked.error();
    ++failure->times;
  }
  events_.Tell({.kind = EventKind::kFollowFailing,
                .message = "the log cannot be followed at the moment, which is tried again: " +
                           std::string(looked.error().message()),
                .error = looked.error()});
}

Result<void> LogFollower::Start(const CallGate& gate) {
  MR_ASSIGN_OR_RETURN(thread_, StartThread([this, &gate](const std::stop_token& stop) {
                        const CallGate::OwnThread inside(&gate);
                        Loop(stop);
                      }));
  return {};
}

void LogFollower::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stopping_changed_.NotifyAll();
  }
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

FollowStatistics LogFollower::Stats() const {
  MutexLock lock(mutex_);
  return statistics_;
}

void LogFollower::Loop(const std::stop_token& stop) {
  std::chrono::nanoseconds pause = kPauseMin;
  auto thorough_at = clock_.Monotonic() + kThoroughEvery;
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      const auto look_at = clock_.Monotonic() + pause;
      while (!stopping_ && clock_.Monotonic() < look_at)
        if (!stopping_changed_.WaitFor(mutex_, look_at - clock_.Monotonic())) break;
      if (stopping_) return;
    }
    const bool thorough = clock_.Monotonic() >= thorough_at;
    const Result<bool> looked = LookOnce(thorough ? LookDepth::kThorough : LookDepth::kUsual);
    if (thorough && looked) thorough_at = clock_.Monotonic() + kThoroughEvery;
    const bool any = looked && *looked;
    pause = any ? kPauseMin : std::min<std::chrono::nanoseconds>(2 * pause, kPauseMax);
  }
}

}  // namespace millrace
