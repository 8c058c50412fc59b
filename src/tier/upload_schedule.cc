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
constexpr std::size_t kClaimsMax = 1'000;

PartitionLog& LogOf(const UploadLane& lane) { return lane.partition().log(); }

}  // namespace

UploadSchedule::UploadSchedule(const UploadScheduleOptions& options, Clock& clock, Random& random)
    : options_(options), clock_(clock), random_(random) {}

void UploadSchedule::Add(UploadLane& lane) {
  MutexLock lock(mutex_);
  lanes_.push_back(&lane);
  if (closed_) lane.ended_ = closed_;
  MR_CHECK(lane.flights_ == 0 && !lane.listed_ && lane.waiters_.empty(), lane.flights_, lane.waiters_.size());
  lane.committed_end_ = lane.taken_end_ = LogOf(lane).offsets().tiered_end;
  Settle(lane);
}

void UploadSchedule::EndLane(UploadLane& lane, const Error& error) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    End(lane, error, ready);
  }
  Run(std::move(ready));
}

void UploadSchedule::Close(const Error& error) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    closed_ = error;
    for (UploadLane* lane : lanes_) End(*lane, error, ready);
    CheckInvariants();
    MR_CHECK(failing_ == 0, failing_);
    timer_.NotifyAll();
    work_.NotifyAll();
  }
  Run(std::move(ready));
}

void UploadSchedule::End(UploadLane& lane, const Error& error, Ready& ready) {
  if (!lane.ended_) lane.ended_ = error;
  EndFailures(lane);
  lane.countdown_.store(kNoCountdown);
  lane.waiting_ = false;
  for (auto& [end, waiter] : lane.waiters_) ready.emplace_back(std::move(waiter), *lane.ended_);
  lane.waiters_.clear();
  CheckLane(lane);
  ++changes_;
  changed_.NotifyAll();
}

void UploadSchedule::CheckLane(const UploadLane& lane) const {
  MR_CHECK(lane.committed_end_ <= lane.taken_end_, lane.committed_end_.value(), lane.taken_end_.value());
  MR_CHECK(lane.flights_ != 0 || (lane.flight_bytes_ == 0 && !lane.building_ && !lane.broken_at_), lane.flight_bytes_,
           lane.building_, lane.broken_at_.has_value());
  MR_CHECK(lane.flight_bytes_ <= flight_bytes_, lane.flight_bytes_, flight_bytes_);
  MR_CHECK(lane.listed_ || (lane.flights_ == 0 && !lane.waiting_), lane.flights_, lane.waiting_);
  MR_CHECK(!lane.ended_ || (lane.waiters_.empty() && !lane.waiting_), lane.waiters_.size(), lane.waiting_);
  MR_CHECK(lane.waiters_.empty() || lane.waiters_.begin()->first > lane.committed_end_,
           lane.waiters_.begin()->first.value(), lane.committed_end_.value());
  MR_CHECK((lane.failures_ == 0) == !lane.last_error_, lane.failures_);
}

void UploadSchedule::CheckInvariants() const {
#ifndef NDEBUG
  std::uint64_t bytes = 0;
  std::size_t failing = 0, listed = 0;
  for (const UploadLane* lane : lanes_) {
    CheckLane(*lane);
    bytes += lane->flight_bytes_;
    failing += lane->failures_ != 0 ? 1 : 0;
    listed += lane->listed_ ? 1 : 0;
  }
  MR_CHECK(bytes == flight_bytes_ && failing == failing_, bytes, flight_bytes_, failing, failing_);
  MR_CHECK(listed == listed_.size(), listed, listed_.size());  // each once, and none but those that say so
  MR_CHECK(std::ranges::all_of(listed_, &UploadLane::listed_), listed);
#endif
}

void UploadSchedule::Run(Ready ready) {
  if (ready.empty()) return;
  CheckNoMutexHeld();
  for (auto& [waiter, result] : ready) waiter(result);
}

void UploadSchedule::Look(UploadLane& lane) {
  MutexLock lock(mutex_);
  if (lane.ended_) {
    lane.countdown_.store(kNoCountdown);
    return;
  }
  if (lane.countdown_.load() > 0) return;  // another append looked first
  if (!lane.waiting_) {
    lane.waiting_ = true;
    lane.deadline_ = clock_.Monotonic() + options_.segment_age_max;
    lane.countdown_.fetch_add(static_cast<std::int64_t>(options_.segment_bytes_max));
    List(lane);
  }
  if (lane.countdown_.load() <= 0) {
    lane.size_due_ = true;
    lane.countdown_.store(kNoCountdown);
  }
  SignalWork();
}

void UploadSchedule::List(UploadLane& lane) {
  if (lane.listed_) return;
  lane.listed_ = true;
  listed_.push_back(&lane);
  MR_CHECK(listed_.size() <= lanes_.size(), listed_.size(), lanes_.size());
}

/// Looks at the log: does anything wait for upload, how much, since when.
void UploadSchedule::Settle(UploadLane& lane) {
  if (lane.ended_) {
    lane.waiting_ = false;
    return;
  }
  // The exchanges order our look at the log against appends: one that we do not see finds the countdown at 0.
  lane.countdown_.exchange(kNoCountdown);
  if (LogOf(lane).offsets().log_end <= lane.taken_end_) {
    lane.waiting_ = lane.size_due_ = false;
    lane.countdown_.exchange(0);
    if (LogOf(lane).offsets().log_end <= lane.taken_end_) return;
  }
  const PartitionLog::Pending pending = LogOf(lane).pending();
  const std::uint64_t bytes = pending.bytes - std::min(pending.bytes, lane.flight_bytes_);
  std::chrono::milliseconds left = options_.segment_age_max;
  if (lane.flights_ == 0 && pending.bytes != 0) {
    const std::chrono::milliseconds age(std::max<std::int64_t>(0, clock_.WallMs() - pending.oldest_ms));
    left -= std::min(left, age);
  }
  lane.waiting_ = true;
  lane.deadline_ = clock_.Monotonic() + left;
  lane.size_due_ = bytes >= options_.segment_bytes_max;
  lane.countdown_.exchange(lane.size_due_ ? kNoCountdown
                                          : static_cast<std::int64_t>(options_.segment_bytes_max - bytes));
  List(lane);
  SignalWork();
}

void UploadSchedule::Demand(UploadLane& lane, Offset end) {
  DemandAll(std::array{UploadDemand{.lane = &lane, .end = end}});
}

void UploadSchedule::DemandAll(std::span<const UploadDemand> demands) {
  MutexLock lock(mutex_);
  bool work = false;
  for (const auto& [lane, end] : demands) {
    lane->demand_end_ = std::max(lane->demand_end_, end);
    work = work || (lane->demand_end_ > lane->taken_end_ && !lane->building_);
  }
  if (work) SignalWork();
}

void UploadSchedule::OnTiered(UploadLane& lane, Offset end, std::move_only_function<void(const Result<void>&)> done) {
  Result<void> now;
  {
    MutexLock lock(mutex_);
    if (lane.committed_end_ < end) {
      if (!lane.ended_) {
        lane.waiters_.emplace(end, std::move(done));
        return;
      }
      now = *lane.ended_;
    }
  }
  CheckNoMutexHeld();
  done(now);
}

void UploadSchedule::OnTieredEnd(UploadLane& lane, Offset tiered_end) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    if (tiered_end <= lane.committed_end_) return;
    lane.committed_end_ = tiered_end;
    lane.taken_end_ = std::max(lane.taken_end_, tiered_end);
    while (!lane.waiters_.empty() && lane.waiters_.begin()->first <= tiered_end) {
      ready.emplace_back(std::move(lane.waiters_.begin()->second), Result<void>());
      lane.waiters_.erase(lane.waiters_.begin());
    }
    if (lane.flights_ == 0) Settle(lane);
    CheckLane(lane);
    ++changes_;
    changed_.NotifyAll();
  }
  Run(std::move(ready));
}

void UploadSchedule::SetPressure(bool pressure) {
  MutexLock lock(mutex_);
  if (pressure && !pressure_) SignalWork();
  pressure_ = pressure;
}

bool UploadSchedule::MayClaim(const UploadLane& lane) const {
  return lane.waiting_ && !lane.building_ && !lane.broken_at_ && !lane.ended_;
}

bool UploadSchedule::Wanted(const UploadLane& lane, std::chrono::nanoseconds now) const {
  return pressure_ || lane.size_due_ || lane.demand_end_ > lane.taken_end_ || now >= lane.deadline_;
}

bool UploadSchedule::Full() const { return flight_bytes_ != 0 && flight_bytes_ >= 2 * options_.segment_bytes_max; }

UploadClaim UploadSchedule::Take(UploadLane& lane, std::uint64_t bytes_max) {
  MR_CHECK(!lane.building_ && lane.listed_ && lane.committed_end_ <= lane.taken_end_, lane.committed_end_.value(),
           lane.taken_end_.value());
  const std::uint64_t pending = LogOf(lane).pending().bytes;
  const std::uint64_t left = pending - std::min(pending, lane.flight_bytes_);
  UploadClaim claim{.lane = &lane, .begin = lane.taken_end_, .bytes = bytes_max, .unsure = lane.unsure_};
  claim.bytes = std::clamp<std::uint64_t>(left, 1, std::max<std::uint64_t>(bytes_max, 1));
  if (left == 0) claim.bytes = std::max<std::uint64_t>(bytes_max, 1);  // what waits is not synced yet, so not counted
  lane.building_ = true;
  ++lane.flights_;
  lane.flight_bytes_ += claim.bytes;
  flight_bytes_ += claim.bytes;
  return claim;
}

std::vector<UploadClaim> UploadSchedule::Claim() {
  MutexLock lock(mutex_);
  if (closed_ || Full()) return {};
  std::erase_if(listed_, [](UploadLane* lane) {
    lane->listed_ = lane->waiting_ || lane->flights_ != 0;
    return !lane->listed_;
  });
  const auto now = clock_.Monotonic();
  std::vector<UploadLane*> due, riders;
  for (UploadLane* lane : listed_) {
    if (!MayClaim(*lane) || now < lane->retry_at_) continue;
    if (Wanted(*lane, now)) {
      due.push_back(lane);
    } else if (lane->deadline_ - now < options_.segment_age_max / 2) {
      riders.push_back(lane);  // due soon: an object more would cost more than going along
    }
  }
  if (due.empty()) return {};
  const auto rank = [](const UploadLane* lane) {  // those a caller waits for, then the oldest
    const PartitionKey& key = LogOf(*lane).key();
    return std::make_tuple(lane->demand_end_ <= lane->taken_end_, lane->deadline_, key.topic, key.partition);
  };
  std::ranges::sort(due, {}, rank);
  const std::size_t due_count = due.size();
  due.insert(due.end(), riders.begin(), riders.end());
  std::vector<UploadClaim> claims;
  std::uint64_t room = options_.segment_bytes_max;
  for (UploadLane* lane : due) {
    if (room == 0 || claims.size() == kClaimsMax) break;
    claims.push_back(Take(*lane, room));
    room -= std::min(room, claims.back().bytes);
  }
  MR_CHECK(!claims.empty() && claims.size() <= due.size(), claims.size(), due.size());
  CheckInvariants();
  if (claims.size() < due_count) SignalWork();  // another thread may take the rest
  return claims;
}

void UploadSchedule::Resynced(UploadClaim& claim) {
  MutexLock lock(mutex_);
  MR_CHECK(claim.lane->building_ && claim.lane->taken_end_ >= claim.begin, claim.lane->taken_end_.value(),
           claim.begin.value());
  claim.lane->unsure_ = false;
  claim.lane->taken_end_ = std::max(claim.lane->taken_end_, claim.lane->committed_end_);
  claim.begin = claim.lane->taken_end_;
  claim.unsure = false;
}

void UploadSchedule::Built(const UploadClaim& claim, Offset end, std::uint64_t bytes_claimed) {
  MutexLock lock(mutex_);
  UploadLane& lane = *claim.lane;
  MR_CHECK(lane.building_);
  MR_CHECK(end > claim.begin, end.value(), claim.begin.value());
  MR_CHECK(lane.flights_ > 0 && bytes_claimed <= lane.flight_bytes_, lane.flights_, bytes_claimed, lane.flight_bytes_);
  lane.building_ = false;
  lane.flight_bytes_ += claim.bytes - bytes_claimed;
  flight_bytes_ += claim.bytes - bytes_claimed;
  lane.taken_end_ = std::max(lane.taken_end_, end);
  Settle(lane);
  CheckLane(lane);
}

void UploadSchedule::Damaged(UploadLane& lane, const Error& error) {
  MutexLock lock(mutex_);
  lane.damage_ = error;
  ++lane.damages_ever_;
}

void UploadSchedule::AwaitTurn(std::vector<UploadClaim>& claims) {
  MutexLock lock(mutex_);
  std::erase_if(claims, [&](const UploadClaim& claim) MR_REQUIRES(mutex_) {
    const UploadLane& lane = *claim.lane;
    while (true) {
      const bool lost =
          lane.ended_ || lane.committed_end_ > claim.begin || (lane.broken_at_ && *lane.broken_at_ <= claim.begin);
      if (lost) {
        Land(claim);
        return true;
      }
      if (lane.committed_end_ == claim.begin) return false;
      changed_.Wait(mutex_);
    }
  });
}

/// The flight is over, whatever came of it.
void UploadSchedule::Land(const UploadClaim& claim) {
  UploadLane& lane = *claim.lane;
  MR_CHECK(lane.flights_ > 0 && lane.flight_bytes_ >= claim.bytes, lane.flights_, lane.flight_bytes_, claim.bytes);
  if (claim.begin >= lane.taken_end_) lane.building_ = false;
  const bool full = Full();
  --lane.flights_;
  lane.flight_bytes_ -= claim.bytes;
  flight_bytes_ -= claim.bytes;
  if (lane.flights_ == 0) {
    lane.building_ = false;
    lane.taken_end_ = lane.committed_end_;
    lane.broken_at_.reset();
  }
  Settle(lane);
  CheckLane(lane);
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
    UploadLane& lane = *claim.lane;
    resumed = lane.failures_ != 0;
    EndFailures(lane);
    Land(claim);
  }
  if (resumed) Tell(*claim.lane, nullptr);
}

void UploadSchedule::EndFailures(UploadLane& lane) {
  MR_CHECK(lane.failures_ == 0 || failing_ > 0, lane.failures_, failing_);
  if (lane.failures_ != 0) --failing_;
  lane.failures_ = 0;
  lane.last_error_.reset();
}

void UploadSchedule::Dropped(const UploadClaim& claim) {
  MutexLock lock(mutex_);
  Land(claim);
}

void UploadSchedule::Failed(const UploadClaim& claim, const Error& error, Outcome outcome) {
  Ready ready;
  {
    MutexLock lock(mutex_);
    UploadLane& lane = *claim.lane;
    const std::uint32_t doublings = std::min<std::uint32_t>(lane.failures_, 20);
    const std::chrono::nanoseconds pause =
        std::min<std::chrono::nanoseconds>(options_.backoff_first * (1LL << doublings), options_.backoff_max);
    const auto jitter = random_.Below(static_cast<std::uint64_t>(pause.count() / 2) + 1);
    lane.retry_at_ = clock_.Monotonic() + pause / 2 + std::chrono::nanoseconds(jitter);
    if (lane.failures_++ == 0) {
      ++failing_;
      lane.failing_since_ms_ = clock_.WallMs();
    }
    ++lane.failures_ever_;
    if (outcome == Outcome::kRefused) {
      ++lane.refusals_ever_;
      for (auto& [end, waiter] : lane.waiters_) ready.emplace_back(std::move(waiter), error);
      lane.waiters_.clear();
    }
    lane.last_error_ = error;
    lane.unsure_ = lane.unsure_ || outcome == Outcome::kUnknown;
    lane.broken_at_ = lane.broken_at_ ? std::min(*lane.broken_at_, claim.begin) : claim.begin;
    Land(claim);
  }
  Run(std::move(ready));
  Tell(*claim.lane, &error);
}

void UploadSchedule::Tell(const UploadLane& lane, const Error* error) const {
  if (!listener_) return;
  CheckNoMutexHeld();
  listener_(lane, error);
}

std::optional<BackgroundFailure> UploadSchedule::FailureLocked(const UploadLane& lane) const {
  if (lane.failures_ == 0 || lane.ended_) return {};
  return BackgroundFailure{.error = *lane.last_error_, .since_ms = lane.failing_since_ms_, .times = lane.failures_};
}

std::optional<BackgroundFailure> UploadSchedule::Failure(const UploadLane& lane) const {
  MutexLock lock(mutex_);
  return FailureLocked(lane);
}

std::optional<BackgroundFailure> UploadSchedule::Failure() const {
  MutexLock lock(mutex_);
  std::optional<BackgroundFailure> longest;
  if (failing_ == 0) return longest;
  for (const UploadLane* lane : lanes_) {
    auto failure = FailureLocked(*lane);
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
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

std::optional<std::chrono::nanoseconds> UploadSchedule::NextDueLocked(std::chrono::nanoseconds now) const {
  if (Full()) return {};  // a landing signals
  std::optional<std::chrono::nanoseconds> next;
  for (const UploadLane* lane : listed_) {
    if (!MayClaim(*lane)) continue;
    const auto at = std::max(Wanted(*lane, now) ? now : lane->deadline_, lane->retry_at_);
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

UploadSchedule::LaneState UploadSchedule::State(const UploadLane& lane) const {
  MutexLock lock(mutex_);
  return {.committed_end = lane.committed_end_,
          .failures_ever = lane.failures_ever_,
          .damages_ever = lane.damages_ever_,
          .refusals_ever = lane.refusals_ever_,
          .last_error = lane.last_error_,
          .damage = lane.damage_,
          .ended = lane.ended_};
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
    if (due) {
      changed_.WaitFor(mutex_, *due - now);
    } else {
      changed_.Wait(mutex_);
    }
  }
}

}  // namespace millrace
