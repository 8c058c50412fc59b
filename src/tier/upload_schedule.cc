#include "tier/upload_schedule.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "base/deadline.h"
#include "tier/tiered_partition.h"

namespace millrace {
namespace {

constexpr std::int64_t kNoCountdown = std::numeric_limits<std::int64_t>::max() / 2;

PartitionLog& LogOf(const PartitionUpload& upload) { return upload.partition().log(); }

}  // namespace

UploadSchedule::UploadSchedule(const UploadScheduleOptions& options, Clock& clock, Random& random)
    : options_(options), clock_(clock), random_(random) {}

void UploadSchedule::Add(PartitionUpload& upload) {
  MutexLock lock(mutex_);
  uploads_.push_back(&upload);
  if (closed_) upload.ended_ = closed_;
  MR_CHECK(upload.flights_ == 0 && !upload.listed_ && upload.waiters_.empty(), upload.flights_, upload.waiters_.size());
  upload.committed_end_ = upload.taken_end_ = LogOf(upload).offsets().tiered_end;
  Settle(upload);
}

void UploadSchedule::EndUpload(PartitionUpload& upload, const Error& error) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    End(upload, error, ready);
  }
  Run(std::move(ready));
}

void UploadSchedule::Close(const Error& error) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    closed_ = error;
    for (PartitionUpload* upload : uploads_) End(*upload, error, ready);
    CheckInvariants();
    MR_CHECK(failing_ == 0, failing_);
    timer_.NotifyAll();
    work_.NotifyAll();
  }
  Run(std::move(ready));
}

void UploadSchedule::End(PartitionUpload& upload, const Error& error, Ready& ready) {
  if (!upload.ended_) upload.ended_ = error;
  EndFailures(upload);
  upload.countdown_.store(kNoCountdown);
  upload.waiting_ = false;
  for (auto& [end, waiter] : upload.waiters_) ready.emplace_back(std::move(waiter), *upload.ended_);
  upload.waiters_.clear();
  CheckUpload(upload);
  ++changes_;
  changed_.NotifyAll();
}

void UploadSchedule::CheckUpload(const PartitionUpload& upload) const {
  MR_CHECK(upload.committed_end_ <= upload.taken_end_, upload.committed_end_.value(), upload.taken_end_.value());
  MR_CHECK(upload.flights_ != 0 || (upload.flight_bytes_ == 0 && !upload.building_ && !upload.broken_at_),
           upload.flight_bytes_, upload.building_, upload.broken_at_.has_value());
  MR_CHECK(upload.flight_bytes_ <= flight_bytes_, upload.flight_bytes_, flight_bytes_);
  MR_CHECK(upload.listed_ || (upload.flights_ == 0 && !upload.waiting_), upload.flights_, upload.waiting_);
  MR_CHECK(!upload.ended_ || (upload.waiters_.empty() && !upload.waiting_), upload.waiters_.size(), upload.waiting_);
  MR_CHECK(upload.waiters_.empty() || upload.waiters_.begin()->first > upload.committed_end_,
           upload.waiters_.begin()->first.value(), upload.committed_end_.value());
  MR_CHECK((upload.failures_ == 0) == !upload.last_error_, upload.failures_);
}

void UploadSchedule::CheckInvariants() const {
#ifndef NDEBUG
  constexpr std::size_t kCheckedMax = 1'000;  // after each change
  if (uploads_.size() > kCheckedMax) return;
  std::uint64_t bytes = 0;
  std::size_t failing = 0, listed = 0, flights = 0;
  for (const PartitionUpload* upload : uploads_) {
    CheckUpload(*upload);
    bytes += upload->flight_bytes_;
    flights += upload->flights_;
    failing += upload->failures_ != 0 ? 1 : 0;
    listed += upload->listed_ ? 1 : 0;
  }
  MR_CHECK(bytes == flight_bytes_ && failing == failing_, bytes, flight_bytes_, failing, failing_);
  MR_CHECK(listed == listed_.size(), listed, listed_.size());  // each once, and none but those that say so
  MR_CHECK(flights == flying_.size(), flights, flying_.size());
  MR_CHECK(std::ranges::all_of(listed_, &PartitionUpload::listed_), listed);
#endif
}

void UploadSchedule::Run(Ready ready) {
  if (ready.empty()) return;
  CheckNoMutexHeld();
  for (auto& [waiter, result] : ready) waiter(result);
}

void UploadSchedule::Look(PartitionUpload& upload) {
  MutexLock lock(mutex_);
  if (upload.ended_) {
    upload.countdown_.store(kNoCountdown);
    return;
  }
  if (upload.countdown_.load() > 0) return;  // another append looked first
  if (!upload.waiting_) {
    upload.waiting_ = true;
    upload.deadline_ = clock_.Monotonic() + options_.segment_age_max;
    upload.countdown_.fetch_add(static_cast<std::int64_t>(options_.segment_bytes_max));
    List(upload);
  }
  if (upload.countdown_.load() <= 0) {
    upload.size_due_ = true;
    upload.countdown_.store(kNoCountdown);
  }
  SignalFor(upload, clock_.Monotonic());
}

void UploadSchedule::List(PartitionUpload& upload) {
  if (upload.listed_) return;
  upload.listed_ = true;
  listed_.push_back(&upload);
  MR_CHECK(listed_.size() <= uploads_.size(), listed_.size(), uploads_.size());
}

/// Looks at the log: does anything wait for upload, how much, since when.
void UploadSchedule::Settle(PartitionUpload& upload) {
  if (upload.ended_) {
    upload.waiting_ = false;
    return;
  }
  // The exchanges order our look at the log against appends: one that we do not see finds the countdown at 0.
  upload.countdown_.exchange(kNoCountdown);
  if (LogOf(upload).offsets().log_end <= upload.taken_end_) {
    upload.waiting_ = upload.size_due_ = false;
    upload.countdown_.exchange(0);
    if (LogOf(upload).offsets().log_end <= upload.taken_end_) return;
  }
  const PartitionLog::Pending pending = LogOf(upload).pending();
  const std::uint64_t bytes = pending.bytes - std::min(pending.bytes, upload.flight_bytes_);
  const auto now = clock_.Monotonic();
  std::chrono::milliseconds left = options_.segment_age_max;
  if (upload.flights_ == 0 && pending.bytes != 0) {
    const std::chrono::milliseconds age(std::max<std::int64_t>(0, clock_.WallMs() - pending.oldest_ms));
    left -= std::min(left, age);
  }
  upload.waiting_ = true;
  upload.deadline_ = now + left;
  upload.size_due_ = bytes >= options_.segment_bytes_max;
  upload.countdown_.exchange(upload.size_due_ ? kNoCountdown
                                              : static_cast<std::int64_t>(options_.segment_bytes_max - bytes));
  List(upload);
  SignalFor(upload, now);
}

void UploadSchedule::Demand(PartitionUpload& upload, Offset end) {
  DemandAll(std::array{UploadDemand{.upload = &upload, .end = end}});
}

void UploadSchedule::DemandAll(std::span<const UploadDemand> demands) {
  MutexLock lock(mutex_);
  bool work = false;
  for (const auto& [upload, end] : demands) {
    upload->demand_end_ = std::max(upload->demand_end_, end);
    work = work || (upload->demand_end_ > upload->taken_end_ && !upload->building_);
  }
  if (work) SignalWork();
}

void UploadSchedule::OnTiered(PartitionUpload& upload, Offset end,
                              std::move_only_function<void(const Result<void>&)> done) {
  Result<void> now;
  {
    MutexLock lock(mutex_);
    if (upload.committed_end_ < end) {
      if (!upload.ended_) {
        upload.waiters_.emplace(end, std::move(done));
        return;
      }
      now = *upload.ended_;
    }
  }
  CheckNoMutexHeld();
  done(now);
}

void UploadSchedule::OnTieredEnd(PartitionUpload& upload, Offset tiered_end) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    if (tiered_end <= upload.committed_end_) return;
    upload.committed_end_ = tiered_end;
    upload.taken_end_ = std::max(upload.taken_end_, tiered_end);
    while (!upload.waiters_.empty() && upload.waiters_.begin()->first <= tiered_end) {
      ready.emplace_back(std::move(upload.waiters_.begin()->second), Result<void>());
      upload.waiters_.erase(upload.waiters_.begin());
    }
    if (upload.flights_ == 0) Settle(upload);
    CheckUpload(upload);
    ++changes_;
    changed_.NotifyAll();
  }
  Run(std::move(ready));
}

void UploadSchedule::SetPressure(std::optional<UploadPressure> pressure) {
  MutexLock lock(mutex_);
  pressure_ = pressure;
  pressure_answered_ = false;
  if (pressure) SignalWork();
}

void UploadSchedule::Resynced(UploadClaim& claim) {
  MutexLock lock(mutex_);
  MR_CHECK(claim.upload->building_ && claim.upload->taken_end_ >= claim.begin, claim.upload->taken_end_.value(),
           claim.begin.value());
  claim.upload->unsure_ = false;
  claim.upload->taken_end_ = std::max(claim.upload->taken_end_, claim.upload->committed_end_);
  claim.begin = claim.upload->taken_end_;
  claim.unsure = false;
}

void UploadSchedule::EndRound(std::span<const UploadShare> shares) {
  MutexLock lock(mutex_);
  for (const UploadShare& share : shares) {
    if (share.end) {
      Build(share.claim, *share.end, share.expected_bytes);
    } else {
      Land(share.claim);
    }
  }
}

void UploadSchedule::Build(const UploadClaim& claim, Offset end, std::uint64_t bytes_claimed) {
  PartitionUpload& upload = *claim.upload;
  MR_CHECK(upload.building_);
  MR_CHECK(end > claim.begin, end.value(), claim.begin.value());
  MR_CHECK(upload.flights_ > 0 && bytes_claimed <= upload.flight_bytes_, upload.flights_, bytes_claimed,
           upload.flight_bytes_);
  upload.building_ = false;
  upload.flight_bytes_ += claim.bytes - bytes_claimed;
  flight_bytes_ += claim.bytes - bytes_claimed;
  upload.taken_end_ = std::max(upload.taken_end_, end);
  Settle(upload);
  CheckUpload(upload);
}

void UploadSchedule::Damaged(PartitionUpload& upload, const Error& error) {
  MutexLock lock(mutex_);
  upload.damage_ = error;
  ++upload.damages_ever_;
}

void UploadSchedule::AwaitTurn(std::vector<UploadClaim>& claims) {
  MutexLock lock(mutex_);
  std::erase_if(claims, [&](const UploadClaim& claim) MR_REQUIRES(mutex_) {
    const PartitionUpload& upload = *claim.upload;
    while (true) {
      const bool lost = upload.ended_ || upload.committed_end_ > claim.begin ||
                        (upload.broken_at_ && *upload.broken_at_ <= claim.begin);
      if (lost) {
        BreakAt(*claim.upload, claim.begin);  // committed in part: those behind it have no predecessor
        Land(claim);
        return true;
      }
      if (upload.committed_end_ == claim.begin) return false;
      changed_.Wait(mutex_);
    }
  });
}

/// The flight that begins at `begin` commits nothing: those behind it will not have their turn.
void UploadSchedule::BreakAt(PartitionUpload& upload, Offset begin) {
  upload.broken_at_ = std::min(upload.broken_at_.value_or(begin), begin);
}

/// The flight is over, whatever came of it.
void UploadSchedule::Land(const UploadClaim& claim) {
  PartitionUpload& upload = *claim.upload;
  MR_CHECK(upload.flights_ > 0 && upload.flight_bytes_ >= claim.bytes, upload.flights_, upload.flight_bytes_,
           claim.bytes);
  if (claim.begin >= upload.taken_end_) upload.building_ = false;
  const bool full = Full();
  const auto place = flying_.find(claim.place);
  MR_CHECK(place != flying_.end(), claim.place.value(), flying_.size());
  flying_.erase(place);
  --upload.flights_;
  upload.flight_bytes_ -= claim.bytes;
  flight_bytes_ -= claim.bytes;
  if (upload.flights_ == 0) {
    upload.building_ = false;
    upload.taken_end_ = upload.committed_end_;
    upload.broken_at_.reset();
  }
  Settle(upload);
  CheckUpload(upload);
  CheckInvariants();
  // While all flights were taken, an uploader slept without an alarm, whichever partition is due.
  if (full && !Full()) SignalWork();
  ++changes_;
  changed_.NotifyAll();
}

void UploadSchedule::Landed(const UploadClaim& claim) {
  bool resumed = false;
  {
    MutexLock lock(mutex_);
    PartitionUpload& upload = *claim.upload;
    resumed = upload.failures_ != 0;
    EndFailures(upload);
    Land(claim);
  }
  if (resumed) Tell(*claim.upload, nullptr);
}

void UploadSchedule::EndFailures(PartitionUpload& upload) {
  MR_CHECK(upload.failures_ == 0 || failing_ > 0, upload.failures_, failing_);
  if (upload.failures_ != 0) --failing_;
  upload.failures_ = 0;
  upload.last_error_.reset();
}

void UploadSchedule::Dropped(const UploadClaim& claim) {
  MutexLock lock(mutex_);
  Land(claim);
}

void UploadSchedule::Failed(const UploadClaim& claim, const Error& error, Outcome outcome) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    PartitionUpload& upload = *claim.upload;
    const std::uint32_t doublings = std::min<std::uint32_t>(upload.failures_, 20);
    const std::chrono::nanoseconds pause =
        std::min<std::chrono::nanoseconds>(options_.backoff_first * (1LL << doublings), options_.backoff_max);
    const auto jitter = random_.Below(static_cast<std::uint64_t>(pause.count() / 2) + 1);
    upload.retry_at_ = clock_.Monotonic() + pause / 2 + std::chrono::nanoseconds(jitter);
    if (upload.failures_++ == 0) {
      ++failing_;
      upload.failing_since_ms_ = clock_.WallMs();
    }
    ++upload.failures_ever_;
    if (outcome == Outcome::kRefused) {
      ++upload.refusals_ever_;
      for (auto& [end, waiter] : upload.waiters_) ready.emplace_back(std::move(waiter), error);
      upload.waiters_.clear();
    }
    upload.last_error_ = error;
    upload.unsure_ = upload.unsure_ || outcome == Outcome::kUnknown;
    BreakAt(upload, claim.begin);
    Land(claim);
  }
  Run(std::move(ready));
  Tell(*claim.upload, &error);
}

void UploadSchedule::Tell(const PartitionUpload& upload, const Error* error) const {
  if (!listener_) return;
  CheckNoMutexHeld();
  listener_(upload, error);
}

std::optional<BackgroundFailure> UploadSchedule::FailureLocked(const PartitionUpload& upload) const {
  if (upload.failures_ == 0 || upload.ended_) return {};
  return BackgroundFailure{
      .error = *upload.last_error_, .since_ms = upload.failing_since_ms_, .times = upload.failures_};
}

std::optional<BackgroundFailure> UploadSchedule::Failure(const PartitionUpload& upload) const {
  MutexLock lock(mutex_);
  return FailureLocked(upload);
}

std::optional<BackgroundFailure> UploadSchedule::Failure() const {
  MutexLock lock(mutex_);
  std::optional<BackgroundFailure> longest;
  if (failing_ == 0) return longest;
  for (const PartitionUpload* upload : uploads_) {
    auto failure = FailureLocked(*upload);
    if (failure && (!longest || failure->since_ms < longest->since_ms)) longest = std::move(failure);
  }
  return longest;
}

bool UploadSchedule::AwaitIdle(std::chrono::nanoseconds time_max) {
  MutexLock lock(mutex_);
  const auto until = DeadlineAfter(clock_.Monotonic(), time_max);
  while (!closed_) {
    const auto now = clock_.Monotonic();
    const auto due = NextDueLocked(now);
    const bool flying = flight_bytes_ != 0;
    if (!flying && (!due || *due > now)) return true;
    const auto left = TimeLeft(until, now);
    if (left == left.zero()) return false;
    ++awaiting_change_;
    changed_.WaitFor(mutex_, left);
    --awaiting_change_;
  }
  return true;
}

std::optional<std::chrono::nanoseconds> UploadSchedule::NextDueLocked(std::chrono::nanoseconds now) const {
  if (Full()) return {};  // a landing signals
  std::optional<std::chrono::nanoseconds> next;
  for (const PartitionUpload* upload : listed_) {
    if (!MayClaim(*upload)) continue;
    const auto at = std::max(Wanted(*upload, now) ? now : upload->deadline_, upload->retry_at_);
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

std::optional<std::chrono::nanoseconds> UploadSchedule::NextDue() const {
  MutexLock lock(mutex_);
  return NextDueLocked(clock_.Monotonic());
}

/// The sleeper that minds the deadlines looks again; without one, any sleeper becomes it.
void UploadSchedule::SignalWork() {
  if (timer_kept_) {
    timer_.NotifyOne();
  } else {
    work_.NotifyOne();
  }
  changed_.NotifyAll();
}

void UploadSchedule::SignalFor(const PartitionUpload& upload, std::chrono::nanoseconds now) {
  const bool minded = timer_kept_ && alarm_ && *alarm_ <= upload.deadline_ && !Wanted(upload, now);
  if (!minded || awaiting_change_ != 0) SignalWork();
}

void UploadSchedule::AwaitWork(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  const std::uint64_t wakes = wakes_;
  while (!closed_ && wakes == wakes_ && !stop.stop_requested()) {
    const auto now = clock_.Monotonic();
    const auto due = NextDueLocked(now);
    if (due && *due <= now) break;
    if (timer_kept_) {
      work_.Wait(mutex_);
      continue;
    }
    timer_kept_ = true;
    alarm_ = due;
    if (due) {
      timer_.WaitFor(mutex_, *due - now);
    } else {
      timer_.Wait(mutex_);
    }
    MR_CHECK(timer_kept_);  // by this sleeper alone
    timer_kept_ = false;
  }
  if (!timer_kept_) work_.NotifyOne();  // another sleeper minds the deadlines now
}

void UploadSchedule::Wake() {
  MutexLock lock(mutex_);
  ++wakes_;
  timer_.NotifyAll();
  work_.NotifyAll();
}

UploadSchedule::UploadState UploadSchedule::State(const PartitionUpload& upload) const {
  MutexLock lock(mutex_);
  return {.committed_end = upload.committed_end_,
          .failures_ever = upload.failures_ever_,
          .damages_ever = upload.damages_ever_,
          .refusals_ever = upload.refusals_ever_,
          .last_error = upload.last_error_,
          .damage = upload.damage_,
          .ended = upload.ended_};
}

std::uint64_t UploadSchedule::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

void UploadSchedule::AwaitChange(std::uint64_t seen) {
  MutexLock lock(mutex_);
  while (changes_ == seen && !closed_) {
    const auto now = clock_.Monotonic();
    const auto due = NextDueLocked(now);
    if (due && *due <= now) return;
    ++awaiting_change_;
    if (due) {
      changed_.WaitFor(mutex_, *due - now);
    } else {
      changed_.Wait(mutex_);
    }
    --awaiting_change_;
  }
}

}  // namespace millrace
