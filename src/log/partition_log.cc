#include "log/partition_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "log/partition_log_state.h"
#include "log/producer_state_table.h"
#include "record/record_batch_view.h"

namespace millrace {

namespace {

ProducerBatch ProducerOf(const RecordBatchView& view) {
  return {.id = view.producer_id(),
          .epoch = view.producer_epoch(),
          .first = view.base_sequence(),
          .count = view.record_count()};
}

Error Refusal(const ProducerBatch& batch, const ProducerStateTable::Judgement& judged) {
  if (judged.verdict == ProducerStateTable::Verdict::kOldEpoch)
    return {ErrorCode::kProducerFenced,
            fmt::format("producer {} is at epoch {} here; epoch {} is over", batch.id, judged.epoch, batch.epoch)};
  return {ErrorCode::kOutOfSequence, fmt::format("producer {} of epoch {} sent records from number {} on where {} was "
                                                 "expected",
                                                 batch.id, batch.epoch, batch.first, judged.expected)};
}

void RunAll(std::vector<WakeCall>& calls) {
  if (calls.empty()) return;
  CheckNoMutexHeld();
  for (WakeCall& call : calls) call();
}

}  // namespace

PartitionLogState::PartitionLogState(PartitionLogOptions options, const PartitionRow& row, Wal& wal,
                                     TailCache& tail_cache, Clock& clock)
    : options(std::move(options)),
      wal(wal),
      tail_cache(tail_cache),
      clock(clock),
      epochs(row.epoch),
      index(this->options.index_budget != nullptr ? WalIndex(*this->options.index_budget) : WalIndex()),
      tail(tail_cache) {
  ceiling = this->options.ceiling;
  offsets.Start({row.log_start, row.tiered_end, row.tiered_end, row.tiered_end, row.tiered_end});
  index.Keep(row.tiered_end);
}

void PartitionLogState::GiveUpRuns(std::uint64_t number) {
  MutexLock lock(mutex);
  tail.DropRuns(number);
}

PartitionLog::PartitionLog(Options options, const PartitionRow& row, Wal& wal, TailCache& tail_cache, Clock& clock)
    : state_(std::make_shared<PartitionLogState>(std::move(options), row, wal, tail_cache, clock)) {
  state_->self = state_;
  state_->self_as_owner = state_;
}

PartitionLog::~PartitionLog() {
  Interrupt(Error(ErrorCode::kClosed, "the partition is closed"));
  // The WAL may still hold a callback that shares the state; its slices go back to the budget now.
  MutexLock lock(state_->mutex);
  state_->tail.DropAll();
  MR_CHECK(state_->waiters.empty(), state_->waiters.size());
  MR_DCHECK(state_->blocked_threads == 0, state_->blocked_threads);  // no call is inside
}

void PartitionLogState::TakeDurable(WalPosition wal_durable_end) {
  if (const std::optional<Offset> end = marks.Take(wal_durable_end); end && *end > offsets.durable_end())
    offsets.MoveDurableEnd(*end);
}

void PartitionLogState::RaiseDurable(Offset end) {
  marks.DropThrough(end);
  if (end > offsets.durable_end()) offsets.MoveDurableEnd(end);
}

Offset PartitionLogState::VisibleEnd() {
  if (options.sync.kind != SyncPolicy::Kind::kEach) return offsets.log_end();
  if (Planted(Bug::kLogVisibleBeyondDurable)) return offsets.log_end();
  if (offsets.durable_end() < offsets.log_end()) TakeDurable(wal.durable_end());
  return offsets.durable_end();
}

void PartitionLogState::TakeReady(std::vector<WakeCall>& ready) {
  if (!waiters.empty()) waiters.TakeBelow(VisibleEnd(), ready);
  if (!watches.empty()) watches.TakeBelow(VisibleEnd(), ready);
  if (blocked_threads > 0) visible_moved.NotifyAll();
}

std::optional<PartitionLogState::SyncRequest> PartitionLogState::NextSync() {
  if (sync_asked || !Awaited()) return std::nullopt;
  if (VisibleEnd() >= offsets.log_end()) return std::nullopt;
  sync_asked = true;
  return SyncRequest{index.end(), offsets.log_end()};
}

void PartitionLogState::AskForSync(const SyncRequest& request) {
  wal.OnDurable(request.wal_end, [state = self.lock(), end = request.end](const Result<void>& synced) {
    if (state != nullptr) state->OnSynced(synced, end);
  });
}

void PartitionLogState::OnSynced(const Result<void>& synced, Offset end) {
  std::vector<WakeCall> ready;
  std::optional<SyncRequest> next;
  {
    MutexLock lock(mutex);
    MR_CHECK(sync_asked, end.value());  // one call of the WAL for each that was asked for
    sync_asked = false;
    if (synced) {
      sync_error.reset();
      RaiseDurable(end);
      TakeReady(ready);
      next = NextSync();
    } else {
      sync_error = synced.error();
      waiters.TakeAll(ready);
      watches.TakeAll(ready);
      visible_moved.NotifyAll();
    }
  }
  RunAll(ready);
  if (next) AskForSync(*next);
}

void PartitionLogState::CheckInvariants() const {
#ifndef NDEBUG
  const PartitionOffsets& o = offsets.all();
  for (std::size_t i = 0; i < holes.size(); ++i) {
    MR_CHECK(holes[i].begin < holes[i].end && (i == 0 || holes[i - 1].end <= holes[i].begin), holes[i].begin.value(),
             holes[i].end.value());
  }
  MR_CHECK(holes.empty() || holes.back().end <= o.log_end, holes.back().end.value(), o.log_end.value());
  if (!broken) {
    MR_CHECK(index.empty() || (index[0].base >= o.hot_start && index[index.size() - 1].base < o.log_end),
             o.hot_start.value(), o.log_end.value(), index.size());
    // What no segment has is in the WAL, or known to be lost.
    MR_CHECK(o.tiered_end == o.log_end || !index.empty() || !holes.empty(), o.tiered_end.value(), o.log_end.value());
  }
  MR_CHECK(tail.empty() || (tail.begin() >= o.hot_start && tail.begin() >= o.log_start && tail.begin() < o.log_end),
           o.hot_start.value(), o.log_start.value(), o.log_end.value());
#endif
}

Result<AppendedBatch> PartitionLog::TryAppend(Buffer& batch) {
  Effects effects;
  auto appended = TryAppend(batch, effects);
  if (!effects.calls.empty() || effects.sync) Run(std::move(effects));
  return appended;
}

void PartitionLog::Run(Effects effects) {
  RunAll(effects.calls);
  if (effects.sync) state_->AskForSync({effects.sync->wal_end, effects.sync->end});
}

std::optional<Result<AppendedBatch>> PartitionLogState::JudgeProducer(const ProducerBatch& batch) {
  const auto judged = options.producers->Judge(options.stream, batch, offsets.log_end());
  using enum ProducerStateTable::Verdict;
  if (judged.verdict == kAppend) return std::nullopt;
  if (judged.verdict != kRepeated) return Refusal(batch, judged);
  const ProducedBatch& first_time = judged.first_time;
  if (first_time.end() > offsets.durable_end()) TakeDurable(wal.durable_end());
  // What is not known to be durable is so when everything up to now is.
  const bool durable = first_time.end() <= offsets.durable_end() || Planted(Bug::kLogRepeatedBeforeSync);
  return AppendedBatch{.base = first_time.base,
                       .end = first_time.end(),
                       .timestamp_max_ms = first_time.timestamp_ms,
                       .wal_end = durable ? WalPosition() : index.end(),
                       .repeated = true};
}

std::optional<Error> PartitionLogState::CheckCeiling(Offset end) const {
  if (end <= ceiling) [[likely]]
    return std::nullopt;
  if (options.ceiling_met != nullptr) options.ceiling_met->store(true, std::memory_order_relaxed);
  return Error(ErrorCode::kTimeout,
               fmt::format("{}/{}: the object store has not heard yet that offsets up to {} may be given, only those "
                           "below {}: they would be given again after the loss of this disk",
                           options.name.topic, options.name.partition.value(), end.value(), ceiling.value()),
               "append again once an upload, or a snapshot of metadata, has reached the object store");
}

Result<AppendedBatch> PartitionLog::TryAppend(Buffer& batch, Effects& effects) {
  PartitionLogState& s = *state_;
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes()));
  MR_CHECK(view.size_bytes() == batch.size(), view.size_bytes(), batch.size());
  const std::int64_t count = view.end_offset() - view.base_offset();
  AppendedBatch appended{.timestamp_max_ms = view.max_timestamp_ms()};
  const ProducerBatch producer = ProducerOf(view);
  const bool numbered = s.options.producers != nullptr && producer.id >= 0;
  if (numbered && (producer.epoch < 0 || producer.first < 0))
    return Error(ErrorCode::kInvalidArgument, "a batch with a producer's id has no epoch, or no number");
  const std::uint64_t charge = PartitionTail::Charge(batch.size());
  const bool cached = s.tail_cache.Reserve(charge);

  {
    MutexLock lock(s.mutex);
    std::optional<Result<AppendedBatch>> known;
    Result<WalExtent> extent = [&]() MR_REQUIRES(s.mutex) -> Result<WalExtent> {
      if (s.ended) return *s.ended;
      if (s.broken) return *s.broken;
      if (numbered) [[unlikely]]
        if (known = s.JudgeProducer(producer); known) return WalExtent();
      appended.base = s.offsets.log_end();
      appended.end = appended.base + count;
      if (auto refused = s.CheckCeiling(appended.end)) [[unlikely]]
        return *std::move(refused);
      if (numbered && Planted(Bug::kLogSequenceBeforeWrite))
        s.options.producers->Record(s.options.stream, producer,
                                    {.base = appended.base, .timestamp_ms = appended.timestamp_max_ms, .extent = {}});
      StampBatch(batch.bytes(), appended.base, s.epochs.present());
      const std::span<const std::byte> whole = batch.bytes();
      if (whole.size() < Crc32cJoiningPaysFrom()) return s.wal.TryAppend(s.options.stream, {&whole, 1});
      const std::span<const std::byte> body = view.crc_bytes();
      const auto head = whole.first(whole.size() - body.size());
      return s.wal.TryAppendWithCrc(s.options.stream, head, body, view.stored_crc());
    }();
    if (!extent || known) {
      if (cached) s.tail_cache.Release(charge);
      if (known) return *std::move(known);
      return std::move(extent).error();
    }
    appended.wal_end = extent->end;
    if (numbered && !Planted(Bug::kLogSequenceBeforeWrite)) [[unlikely]]
      s.options.producers->Record(
          s.options.stream, producer,
          {.base = appended.base, .timestamp_ms = appended.timestamp_max_ms, .extent = *extent});
    const bool opens_interval = s.index.OpensInterval(extent->begin);
    s.index.Add(appended.base, *extent, batch.size(), appended.timestamp_max_ms, opens_interval,
                opens_interval ? s.clock.WallMs() : 0);
    if (s.marks.full()) s.TakeDurable(s.wal.durable_end());
    if (cached)
      s.tail.Append(appended.base, batch, s.self_as_owner);
    else
      s.tail.DropAll();  // it holds no gap up to log_end
    if (!(Planted(Bug::kLogBaseOffsetTwice) && appended.base.value() % 7 == 3)) s.offsets.MoveLogEnd(appended.end);
    s.marks.Push(extent->end,
                 Planted(Bug::kLogHalfBatchVisible) ? appended.base + (count + 1) / 2 : s.offsets.log_end());
    if (s.Awaited()) {
      s.TakeReady(effects.calls);
      if (const auto sync = s.NextSync()) effects.sync = {sync->wal_end, sync->end};
    }
  }
  return appended;
}

Result<AppendedBatch> PartitionLog::Append(Buffer batch, std::chrono::nanoseconds deadline) {
  const std::size_t size = batch.size();
  while (true) {
    Result<AppendedBatch> appended = TryAppend(batch);
    if (appended || appended.error().code() != ErrorCode::kUnavailable) return appended;
    MR_TRY(state_->wal.AwaitRoom(size, deadline));
  }
}

PartitionOffsets PartitionLog::offsets() const {
  MutexLock lock(state_->mutex);
  if (state_->offsets.durable_end() < state_->offsets.log_end()) state_->TakeDurable(state_->wal.durable_end());
  return state_->offsets.all();
}

Offset PartitionLog::visible_end() const {
  MutexLock lock(state_->mutex);
  return state_->VisibleEnd();
}

Result<void> PartitionLog::AwaitAcknowledged(std::optional<std::chrono::nanoseconds> deadline) {
  if (state_->options.sync.kind != SyncPolicy::Kind::kEach) return {};
  MR_TRY(Sync(deadline));
  return {};
}

Result<Offset> PartitionLog::Sync(std::optional<std::chrono::nanoseconds> deadline) {
  PartitionLogState& s = *state_;
  PartitionLogState::SyncRequest request;
  {
    MutexLock lock(s.mutex);
    request = {s.index.end(), s.offsets.log_end()};
    if (s.offsets.durable_end() < request.end) s.TakeDurable(s.wal.durable_end());
    if (s.offsets.durable_end() >= request.end) return s.offsets.durable_end();
    if (s.ended) return *s.ended;
  }
  MR_TRY(s.wal.AwaitDurable(request.wal_end, deadline));
  std::vector<WakeCall> ready;
  Offset durable_end;
  {
    MutexLock lock(s.mutex);
    s.RaiseDurable(request.end);
    s.TakeReady(ready);
    durable_end = s.offsets.durable_end();
    MR_CHECK(durable_end >= request.end, durable_end.value(), request.end.value());
  }
  RunAll(ready);
  return durable_end;
}

Result<bool> PartitionLog::AwaitVisible(Offset offset, std::chrono::nanoseconds deadline) {
  PartitionLogState& s = *state_;
  for (bool first = true;; first = false) {
    std::optional<PartitionLogState::SyncRequest> sync;
    {
      MutexLock lock(s.mutex);
      if (s.ended) return *s.ended;
      if (s.VisibleEnd() > offset) return true;
      if (!first && s.sync_error) return *s.sync_error;
      const auto left = deadline - s.clock.Monotonic();
      if (left <= std::chrono::nanoseconds::zero()) return false;
      ++s.blocked_threads;
      sync = s.NextSync();
      if (!sync) s.visible_moved.WaitFor(s.mutex, left);
      --s.blocked_threads;
    }
    if (sync) s.AskForSync(*sync);
  }
}

std::uint64_t PartitionLog::AddWaiter(Offset offset, std::move_only_function<void()> wake) {
  PartitionLogState& s = *state_;
  std::uint64_t ticket = 0;
  std::optional<PartitionLogState::SyncRequest> sync;
  {
    MutexLock lock(s.mutex);
    if (!s.ended && s.VisibleEnd() <= offset) {
      ticket = s.waiters.Add(offset, std::move(wake));
      sync = s.NextSync();
    }
  }
  if (ticket == 0) wake();
  if (sync) s.AskForSync(*sync);
  return ticket;
}

bool PartitionLog::CancelWaiter(std::uint64_t ticket) {
  MutexLock lock(state_->mutex);
  return state_->waiters.Remove(ticket);
}

void PartitionLog::AdvanceTieredEnd(Offset tiered_end) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  if (tiered_end <= s.offsets.tiered_end()) return;
  s.TakeDurable(s.wal.durable_end());
  s.offsets.MoveTieredEnd(tiered_end);
  s.index.Keep(tiered_end);
  // The age of what comes next counts from itself, and it pins no WAL of before.
  if (tiered_end == s.offsets.log_end()) s.index.CloseInterval();
  s.CheckInvariants();
}

void PartitionLog::FollowTo(Offset end) {
  PartitionLogState& s = *state_;
  std::vector<WakeCall> ready;
  {
    MutexLock lock(s.mutex);
    if (end <= s.offsets.log_end()) return;
    MR_CHECK(s.index.empty() && s.tail.empty(), s.index.size(), end.value());
    s.offsets.MoveLogEnd(end);
    s.offsets.MoveDurableEnd(end);
    s.offsets.MoveTieredEnd(end);
    s.offsets.MoveHotStart(end);
    s.index.Keep(end);
    s.CheckInvariants();
    s.TakeReady(ready);
  }
  RunAll(ready);
}

void PartitionLog::AdvanceLogStart(Offset log_start) {
  PartitionLogState& s = *state_;
  std::vector<WakeCall> ready;
  {
    MutexLock lock(s.mutex);
    if (log_start <= s.offsets.log_start()) return;
    s.TakeDurable(s.wal.durable_end());
    s.offsets.MoveLogStart(log_start);
    s.index.Keep(s.offsets.tiered_end());
    s.tail.DropBelow(log_start);
    if (s.offsets.tiered_end() == s.offsets.log_end()) s.index.CloseInterval();
    s.CheckInvariants();
    // Who keeps a watch on the partition tells its reader where it begins now.
    s.watches.TakeAll(ready);
  }
  RunAll(ready);
}

void PartitionLog::RaiseCeiling(Offset ceiling) {
  MutexLock lock(state_->mutex);
  state_->ceiling = std::max(state_->ceiling, ceiling);
}

Offset PartitionLog::ceiling() const {
  MutexLock lock(state_->mutex);
  return state_->ceiling;
}

void PartitionLog::SetEpochs(EpochHistory epochs) {
  MutexLock lock(state_->mutex);
  MR_CHECK(epochs.present() >= state_->epochs.present(), epochs.present().value(), state_->epochs.present().value());
  state_->epochs = std::move(epochs);
}

LeaderEpoch PartitionLog::epoch() const {
  MutexLock lock(state_->mutex);
  return state_->epochs.present();
}

LeaderEpoch PartitionLog::EpochAt(Offset offset) const {
  MutexLock lock(state_->mutex);
  return state_->epochs.At(offset);
}

std::optional<EpochEnd> PartitionLog::EndOfEpoch(LeaderEpoch asked) const {
  MutexLock lock(state_->mutex);
  return state_->epochs.EndOf(asked, state_->offsets.log_end());
}

LeaderEpoch PartitionLog::recovered_epoch() const {
  MutexLock lock(state_->mutex);
  return state_->recovery.epoch;
}

std::optional<WalPosition> PartitionLog::OldestNeeded() const {
  const PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  if (s.broken) return Planted(Bug::kLogBrokenNotPinned) ? std::nullopt : std::optional(WalPosition(0));
  const Offset tiered_end = s.offsets.tiered_end();
  if (tiered_end >= s.offsets.log_end()) return std::nullopt;
  std::optional<WalPosition> oldest;
  if (!s.index.empty()) oldest = s.index[s.index.Find(tiered_end)].begin;
  if (Planted(Bug::kLogHoleNotPinned)) return oldest;
  for (const PartitionLogState::Hole& hole : s.holes)
    if (hole.end > tiered_end) oldest = std::min(oldest.value_or(hole.at), hole.at);
  MR_CHECK(oldest, tiered_end.value(), s.offsets.log_end().value());  // or the WAL would forget what no segment has
  return oldest;
}

std::optional<PartitionLog::WalShare> PartitionLog::ShareOf(Offset from, WalPosition until) const {
  const PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  const Offset log_end = s.offsets.log_end();
  if (s.broken || from >= log_end || from < s.offsets.hot_start()) return std::nullopt;
  const std::size_t behind = s.index.FindBehind(until);
  WalShare share{.end = log_end, .bytes = 1};
  if (behind < s.index.size()) share.end = s.index[behind].base;
  if (const PartitionLogState::Hole* hole = s.HoleAt(from); hole != nullptr) {
    share.begin = hole->at;
    share.end = std::max(share.end, hole->end);
  } else {
    if (s.index.empty()) return std::nullopt;
    const std::size_t first = s.index.Find(from);
    share.begin = s.index[first].begin;
    for (const PartitionLogState::ReadEnd& known : s.read_ends)
      if (known.next == from) share.begin = std::max(share.begin, known.at);
    // At least the interval that `from` is in.
    if (share.end <= from) share.end = first + 1 < s.index.size() ? s.index[first + 1].base : log_end;
  }
  if (!s.index.empty()) share.bytes = std::max<std::uint64_t>(s.index.BytesBetween(from, share.end), 1);
  MR_CHECK(share.end > from && share.end <= log_end, from.value(), share.end.value(), log_end.value());
  return share;
}

std::optional<WalPosition> PartitionLog::NextInterval(WalPosition position) const {
  MutexLock lock(state_->mutex);
  const std::size_t next = state_->index.FindBehind(position);
  if (next == state_->index.size()) return std::nullopt;
  return state_->index[next].begin;
}

void PartitionLog::NoteFrameAt(Offset next, WalPosition at) { state_->RememberReadEnd(next, at); }

Offset PartitionLog::tail_begin() const {
  MutexLock lock(state_->mutex);
  return state_->tail.empty() ? state_->offsets.log_end() : state_->tail.begin();
}

void PartitionLog::OnRecycled(WalPosition position) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  s.index.DropBefore(position);
  Offset hot_start = s.index.empty() ? s.offsets.log_end() : s.index[0].base;
  // Behind the last needed frame there may be a hole, which has none.
  if (hot_start > s.offsets.tiered_end() && s.HoleAt(s.offsets.tiered_end()) != nullptr)
    hot_start = s.offsets.tiered_end();
  if (hot_start <= s.offsets.hot_start()) return;
  s.offsets.MoveHotStart(hot_start);
  s.tail.DropBelow(hot_start);
  std::erase_if(s.holes, [&](const PartitionLogState::Hole& hole) { return hole.end <= hot_start; });
  s.CheckInvariants();
}

PartitionLog::Pending PartitionLog::pending() const {
  const PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  const Offset from = s.offsets.tiered_end();
  if (s.broken || from >= s.offsets.log_end()) return {};
  // A hole has no bytes, and is to be told in the object store all the same.
  if (s.index.empty()) return s.holes.empty() ? Pending() : Pending{1, s.recovery.found_ms};
  return {std::max<std::uint64_t>(s.index.BytesFrom(from), 1), s.index[s.index.Find(from)].appended_ms};
}

std::uint64_t PartitionLog::hot_bytes() const {
  MutexLock lock(state_->mutex);
  return state_->index.bytes_held();
}

std::uint64_t PartitionLog::index_bytes() const {
  MutexLock lock(state_->mutex);
  return state_->index.memory_bytes();
}

void PartitionLog::Interrupt(Error error) {
  PartitionLogState& s = *state_;
  std::vector<WakeCall> ready;
  {
    MutexLock lock(s.mutex);
    if (!s.ended) s.ended = std::move(error);
    s.waiters.TakeAll(ready);
    s.watches.TakeAll(ready);
    s.visible_moved.NotifyAll();
  }
  RunAll(ready);
}

WalStream PartitionLog::stream() const { return state_->options.stream; }

const PartitionKey& PartitionLog::key() const { return state_->options.key; }

const TopicPartition& PartitionLog::name() const { return state_->options.name; }

}  // namespace millrace
