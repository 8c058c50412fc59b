#include "engine/housekeeper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "env/start_thread.h"
#include "millrace/request_scope.h"
#include "tier/step_budget.h"

namespace millrace {
namespace {

constexpr std::size_t kUploaders = 4;
constexpr std::chrono::milliseconds kPauseAfterError{20};
constexpr std::chrono::seconds kFirstLook{10};      // after opening: what earlier processes left behind
constexpr std::chrono::minutes kLookAtLeast{10};    // at objects to be removed
constexpr std::chrono::seconds kLookWhenUnsure{1};  // whether a topic is there
constexpr std::chrono::hours kListEvery{24};        // for objects that metadata does not know
constexpr std::chrono::milliseconds kPressureLook{50};
constexpr std::chrono::seconds kCollectMax{5};     // at a stretch; retention is looked at in between
constexpr std::chrono::seconds kUploadTimeMin{1};  // left to Maintain, for it to send something far
static_assert(kFirstLook <= kLookAtLeast && kLookWhenUnsure <= kLookAtLeast && kLookAtLeast <= kListEvery);

}  // namespace

Housekeeper::~Housekeeper() {
  StopBackground();
  StopForeground();
}

Result<void> Housekeeper::StartLoop(std::vector<std::jthread>& threads, Loop loop) {
  MR_CHECK(!stop_.stop_requested(), threads.size());  // it would end at once, and what it does would never be done
  MR_ASSIGN_OR_RETURN(auto thread, StartThread([this, loop](const std::stop_token& stop) {
                        const CallGate::OwnThread inside(&steps_.calls);
                        (this->*loop)(stop);
                      }));
  threads.push_back(std::move(thread));
  return {};
}

Result<void> Housekeeper::Start() {
  MR_CHECK(foreground_.empty() && background_.empty(), foreground_.size(), background_.size());
  MR_TRY(StartLoop(foreground_, &Housekeeper::CommitLoop));
  MR_TRY(StartLoop(foreground_, &Housekeeper::CompleteLoop));
  for (std::size_t i = 0; i < kUploaders; ++i) MR_TRY(StartLoop(background_, &Housekeeper::UploadLoop));
  MR_TRY(StartLoop(background_, &Housekeeper::RelieveLoop));
  return StartLoop(background_, &Housekeeper::KeepLoop);
}

void Housekeeper::RequestStop() { stop_.request_stop(); }

void Housekeeper::StopBackground() {
  RequestStop();
  for (auto& thread : background_) thread.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    pressed_.NotifyAll();
    changed_.NotifyAll();
    paused_.NotifyAll();
  }
  steps_.uploader.schedule().Wake();
  background_.clear();
}

void Housekeeper::StopForeground() {
  MR_CHECK(background_.empty(), background_.size());  // they append and upload, and wait for what these do
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
  const RequestScope scope({.stop = stop_.get_token()});
  while (!stop.stop_requested()) {
    const auto uploaded = steps_.uploader.UploadOnce();  // a failed range waits by itself
    if (uploaded && !*uploaded) {
      steps_.uploader.schedule().AwaitWork(stop);
    } else if (uploaded) {
      if (hurried_.load(std::memory_order_relaxed)) OnPressure();
      // A topic that is kept by its size grows with each upload, however long it is until the next look.
      if (steps_.uploader.bytes() - bytes_at_look_.load(std::memory_order_relaxed) >= steps_.look_after_bytes) Poke();
    }
  }
}

void Housekeeper::OnPressure() {
  MutexLock lock(mutex_);
  pressure_ = true;
  pressed_.NotifyAll();
}

void Housekeeper::OnDurable() {
  if (!hurried_.load(std::memory_order_relaxed) && steps_.recycler.WantsEither()) OnPressure();
}

void Housekeeper::Poke() {
  MutexLock lock(mutex_);
  poked_ = true;
  changed_.NotifyAll();
}

void Housekeeper::RelievePressure() {
  if (steps_.recycler.WantsUpload()) (void)steps_.retention.ForgetConsumedOnce(steps_.partitions);
  if (steps_.recycler.WantsSpace()) (void)steps_.recycler.RecycleOnce(steps_.partitions, DiskWal::Seal::kKeepActive);
  steps_.recycler.Look(steps_.partitions);
  const auto pressure = steps_.recycler.Pressure();
  hurried_.store(pressure.has_value(), std::memory_order_relaxed);
  steps_.uploader.schedule().SetPressure(pressure);
}

Result<void> Housekeeper::KeepOnce() {
  steps_.prefetcher.DropIdle();
  // What was consumed is not uploaded: its files come back now, even if no append is short of them.
  const auto consumed = steps_.retention.ForgetConsumedOnce(steps_.partitions);
  if (consumed && *consumed) (void)steps_.recycler.RecycleOnce(steps_.partitions, DiskWal::Seal::kKeepActive);
  const auto retained = steps_.retention.RetainOnce(steps_.partitions);
  const StepBudget budget(steps_.clock, kCollectMax);
  ObjectCollector::Step collected{.more = true};
  while (collected.more && !budget.over()) {
    auto step = steps_.collector.CollectStep();
    collected.more = step.more;
    if (!collected.failure) collected.failure = std::move(step.failure);
  }
  more_.store(collected.more);
  if (!consumed) return consumed.error();
  if (!retained) return retained.error();
  if (collected.failure) return *std::move(collected.failure);
  return {};
}

std::optional<BackgroundFailure> Housekeeper::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

void Housekeeper::Note(const Result<void>& kept) {
  if (!kept && kept.error().code() == ErrorCode::kClosed) return;  // we end
  {
    MutexLock lock(mutex_);
    if (kept) {
      failure_.reset();
      return;
    }
    if (!failure_) failure_ = BackgroundFailure{.error = kept.error(), .since_ms = steps_.clock.WallMs()};
    failure_->error = kept.error();
    ++failure_->times;
  }
  steps_.events.Tell({.kind = EventKind::kUpkeepFailing,
                      .message = "what is old or deleted cannot be removed, and is tried again",
                      .error = kept.error()});
}

/// One look of the keeper at everything.
bool Housekeeper::Look() {
  bytes_at_look_.store(steps_.uploader.bytes(), std::memory_order_relaxed);
  Result<void> looked = steps_.reconcile_topics();
  const bool sure = looked.has_value();
  if (const auto kept = KeepOnce(); !kept && looked) looked = kept;
  const auto now = steps_.clock.Monotonic();
  if (const auto put = steps_.snapshots.PutIfDue(steps_.uploader.objects()); !put && looked) looked = put.error();
  bool list = false;
  {
    MutexLock lock(mutex_);
    if (!list_at_) list_at_ = now + kListEvery;
    list = now >= *list_at_;
  }
  if (list) {
    const auto listed = steps_.collector.ListOnce();
    if (listed && *listed) more_.store(true);
    if (!listed && looked) looked = listed.error();
    MutexLock lock(mutex_);
    if (!listed || !*listed) list_at_ = now + kListEvery;
  }
  if (const auto kept = steps_.keep_time(); !kept && looked) looked = kept;
  if (steps_.time.doubted())
    steps_.events.Tell({.kind = EventKind::kClockDoubted,
                        .message = "the wall clock is more than a day ahead of what this log knew: nothing is deleted "
                                   "for its age until it has been so for 24 hours, or somebody says that it is right"});
  Note(looked);
  return sure;
}

void Housekeeper::RelieveLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    bool pressure = false;
    {
      MutexLock lock(mutex_);
      const auto wake_at =
          steps_.clock.Monotonic() +
          (hurried_.load() ? std::chrono::nanoseconds(kPressureLook) : std::chrono::nanoseconds(Prefetcher::kIdleMax));
      while (!stopping_ && !pressure_ && steps_.clock.Monotonic() < wake_at)
        if (!pressed_.WaitFor(mutex_, wake_at - steps_.clock.Monotonic())) break;
      if (stopping_) return;
      pressure = std::exchange(pressure_, false) || hurried_.load();
    }
    if (pressure) RelievePressure();
    steps_.prefetcher.DropIdle();
  }
}

void Housekeeper::KeepLoop(const std::stop_token& stop) {
  const RequestScope scope({.stop = stop_.get_token()});
  auto look_at = steps_.clock.Monotonic() + kFirstLook;
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !poked_ && steps_.clock.Monotonic() < look_at)
        if (!changed_.WaitFor(mutex_, look_at - steps_.clock.Monotonic())) break;
      if (stopping_) return;
      poked_ = false;
    }
    const bool sure = Look();
    const auto interval = RetentionPolicy::Interval(steps_.partitions);
    look_at = steps_.clock.Monotonic();
    if (!more_.exchange(false))
      look_at +=
          std::min<std::chrono::nanoseconds>(sure ? interval.value_or(kLookAtLeast) : kLookWhenUnsure, kLookAtLeast);
  }
}

/// Near objects are written by this thread. Far ones too where there is time for it; else the uploaders, which began
/// when the engine was opened, are waited for.
Result<void> Housekeeper::UploadDue(const MaintenanceLimits& limits, bool& finished) {
  UploadSchedule& schedule = steps_.uploader.schedule();
  const StepBudget budget(steps_.clock);
  const bool here = !limits.time_max || limits.objects_are_near || *limits.time_max >= kUploadTimeMin;
  Result<bool> uploaded = here;
  while (uploaded && *uploaded && !budget.over()) uploaded = steps_.uploader.UploadOnce();
  if (!uploaded) {
    finished = false;
    return uploaded.error();
  }
  const auto left = TimeLeft(RequestScope::Current().deadline, steps_.clock.Monotonic());
  finished = schedule.AwaitIdle(left) && finished;
  return {};
}

Result<MaintenanceReport> Housekeeper::Maintain(const MaintenanceLimits& limits) {
  RequestLimits requests{.stop = stop_.get_token()};
  if (limits.time_max) requests.deadline = DeadlineAfter(steps_.clock.Monotonic(), *limits.time_max);
  const RequestScope scope(std::move(requests));
  const StepBudget budget(steps_.clock);
  const std::uint64_t uploaded = steps_.uploader.bytes(), retired = steps_.retention.records_retired();
  const std::uint64_t deleted = steps_.collector.deleted();
  MaintenanceReport report;
  std::optional<Error> error;
  const auto note = [&](const auto& done) {
    if (!done && !error) error = done.error();
  };
  note(steps_.reconcile_topics());
  note(steps_.retention.ForgetConsumedOnce(steps_.partitions));
  note(steps_.retention.RetainOnce(steps_.partitions));
  note(UploadDue(limits, report.finished));
  note(steps_.retention.RetainOnce(steps_.partitions));  // what was uploaded just now may be old already
  ObjectCollector::Step collected{.more = true};
  while (collected.more && !budget.over()) {
    collected = steps_.collector.CollectStep();
    if (collected.failure && !error) error = collected.failure;
  }
  // A process may end before its keeper looks for the first time: then this is what a log is found by again.
  if (!limits.time_max) note(steps_.snapshots.PutIfDue(steps_.uploader.objects()));
  note(steps_.recycler.RecycleOnce(steps_.partitions, DiskWal::Seal::kKeepActive));
  report.finished = report.finished && !collected.more && !budget.over();
  MR_CHECK(steps_.uploader.bytes() >= uploaded && steps_.collector.deleted() >= deleted, uploaded, deleted);
  report.uploaded_bytes = steps_.uploader.bytes() - uploaded;
  report.records_retired = steps_.retention.records_retired() - retired;
  report.objects_deleted = steps_.collector.deleted() - deleted;
  if (error) return *std::move(error);
  return report;
}

}  // namespace millrace
