#include "cursor/cursor_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::size_t kBatchEntriesMax = 2'000;
/// What is read ahead: little at first, so that a cursor that reads one entry costs little, more as it goes on.
constexpr std::uint64_t kReadBytesFirst = 64 << 10, kReadBytesMax = 1 << 20;

}  // namespace

/// The mutex, at a moment when no other thread is in the middle of a turn.
class MR_SCOPED_CAPABILITY CursorState::Turn {
 public:
  explicit Turn(CursorState& state) MR_ACQUIRE(state.mutex_) : state_(state) {
    state.mutex_.Lock();
    while (state.busy_) state.turn_.Wait(state.mutex_);
  }
  ~Turn() MR_RELEASE() { EndTurn(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  void EndTurn() MR_NO_THREAD_SAFETY_ANALYSIS {
    if (std::exchange(state_.busy_, false)) state_.turn_.NotifyAll();
    state_.mutex_.Unlock();
  }
  CursorState& state_;
};

/// Until it is told that all went well: whatever ends the taking, an exception too, what was walked over is walked
/// again.
class CursorState::Unwound {
 public:
  explicit Unwound(CursorState& state) : state_(&state) {}
  Unwound(const Unwound&) = delete;
  Unwound& operator=(const Unwound&) = delete;
  ~Unwound() MR_NO_THREAD_SAFETY_ANALYSIS {
    if (state_ != nullptr) state_->MoveTo(state_->position_);
  }
  void WentWell() { state_ = nullptr; }

 private:
  CursorState* state_;
};

CursorState::CursorState(PartitionSource& source, PositionLog& log, ReclaimClaims& claims, Clock& clock,
                         ReadConsistency consistency, const Standing& standing)
    : source_(source),
      log_(log),
      claims_(claims),
      clock_(clock),
      consistency_(consistency),
      id_(standing.id),
      corrected_from_(standing.corrected_from),
      ahead_(source.name()),
      position_(standing.position),
      read_bytes_(kReadBytesFirst),
      failures_seen_(log.failures()) {
  ahead_.Reset(position_);
}

Result<void> CursorState::ReadNext(ReadIntent intent, std::optional<Record>& record) {
  PositionLog::Ticket ticket;
  while (!ticket) {
    Turn turn(*this);
    MR_TRY(BeginTurn(intent));
    const auto any = LookOrFill(ahead_.front());
    if (!any) return Judged(any.error());
    if (!*any) return {};
    const EntryView& entry = ahead_.front().entry();
    const Offset next = entry.offset + 1;
    if (intent == ReadIntent::kPeek && !Planted(Bug::kPositionPeekMoves)) {
      entry.CopyTo(record.emplace());
      return {};
    }
    entry.CopyTo(record.emplace());  // before the move is staged: memory may run out
    if (consistency_.strict) {
      MR_ASSIGN_OR_RETURN(ticket, StageTaken(next));
      if (!ticket) continue;
    }
    ++returned_;
    if (!Planted(Bug::kPositionTwoThreadsOneEntry) || returned_ % 16 != 0) {
      CursorReadAhead::Pass(ahead_.front());
      position_ = next;
    }
    if (!consistency_.strict) return {};
  }
  return AwaitTaken(ticket);
}

Result<std::vector<Record>> CursorState::ReadBatch(std::uint64_t bytes_max, ReadIntent intent) {
  std::vector<Record> records;
  PositionLog::Ticket ticket;
  while (!ticket) {
    Turn turn(*this);
    MR_TRY(BeginTurn(intent));
    if (intent == ReadIntent::kPeek) return Gather(bytes_max, intent);
    Unwound unwound(*this);
    MR_ASSIGN_OR_RETURN(records, Gather(bytes_max, intent));
    if (ended_) return *ended_;
    if (consistency_.strict && !records.empty()) {
      MR_ASSIGN_OR_RETURN(ticket, StageTaken(records.back().offset + 1));
      if (!ticket) continue;
    }
    unwound.WentWell();
    if (records.empty()) return records;
    position_ = records.back().offset + 1;
    if (!Planted(Bug::kPositionBatchUncounted)) returned_ += records.size();
    if (!consistency_.strict) return records;
  }
  MR_TRY(AwaitTaken(ticket));
  return records;
}

/// What comes before anything is looked at: the mode's promise about what was returned before.
Result<void> CursorState::BeginTurn(ReadIntent intent) {
  if (ended_) [[unlikely]]
    return *ended_;
  if (consistency_.strict) {
    RewindIfFailed();
  } else if (intent == ReadIntent::kConsume && returned_ - persisted_ >= consistency_.persist_every) {
    MR_TRY(PersistReturned());
  }
  return {};
}

/// True: there is an entry at `walk`.
Result<bool> CursorState::LookOrFill(CursorReadAhead::Walk& walk) {
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool found, ahead_.Look(walk));
    if (found) [[likely]]
      return true;
    MR_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) return false;
  }
}

/// One read. False: nothing was there.
Result<bool> CursorState::Fill() {
  busy_ = true;
  const ReadLimits limits{.bytes_max = read_bytes_};
  const Offset begin = ahead_.next_read();
  mutex_.Unlock();
  auto read = source_.ReadBatches(begin, limits);
  mutex_.Lock();
  if (ended_) return *ended_;
  if (!read) return std::move(read).error();
  read_bytes_ = std::min(read_bytes_ * 4, kReadBytesMax);
  const bool any = !read->batches.empty() || read->next > begin;
  ahead_.Append(*std::move(read));
  return any;
}

/// An error on its way to the caller, who hears of it now: what it means for the next call.
Error CursorState::Judged(const Error& error) {
  const DamagedRange* damage = error.damage();
  if (error.code() == ErrorCode::kCorruption && damage != nullptr) damage_end_ = damage->end;
  const auto bounds = error.bounds();
  if (error.code() == ErrorCode::kOutOfRange && bounds && bounds->log_start > ahead_.next_read()) {
    told_start_ = bounds->log_start;
    MoveTo(bounds->log_start);
  }
  return error;
}

Result<std::vector<Record>> CursorState::Gather(std::uint64_t bytes_max, ReadIntent intent) {
  std::vector<Record> records;
  CursorReadAhead::Walk peek = ahead_.front();
  std::uint64_t bytes = 0;
  while (records.size() < kBatchEntriesMax) {
    const bool at_front = intent == ReadIntent::kConsume || records.empty();
    CursorReadAhead::Walk& walk = at_front ? ahead_.front() : peek;
    const auto any = LookOrFill(walk);
    if (!any && records.empty()) return Judged(any.error());
    if (!any || !*any) break;  // an error is for the next call, which meets it again
    const std::uint64_t payload = walk.entry().PayloadBytes();
    if (records.empty()) {
      // As many as there would be of this size: growing moves what is there already.
      const std::int64_t visible = std::max<std::int64_t>(source_.bounds().end - walk.entry().offset, 1);
      records.reserve(std::min({static_cast<std::uint64_t>(visible), std::uint64_t{kBatchEntriesMax},
                                bytes_max / std::max<std::uint64_t>(payload, 1) + 1}));
    } else if (bytes > bytes_max || payload > bytes_max - bytes) {
      break;
    }
    bytes += payload;
    walk.entry().CopyTo(records.emplace_back());
    if (intent == ReadIntent::kConsume) {
      CursorReadAhead::Pass(walk);
    } else {
      if (at_front) peek = walk;
      CursorReadAhead::Pass(peek);
    }
  }
  return records;
}

/// Strict: the position goes on the way to the disk. No ticket: the log has failed meanwhile, so what was taken does
/// not follow what is durable; begin again.
Result<PositionLog::Ticket> CursorState::StageTaken(Offset position) {
  MR_ASSIGN_OR_RETURN(PositionLog::Ticket ticket, log_.MoveUnlessFailed(id_, position, failures_seen_));
  if (!ticket) RewindIfFailed();
  return ticket;
}

Result<void> CursorState::AwaitTaken(const PositionLog::Ticket& ticket) {
  if (Planted(Bug::kPositionPersistedAfterHandOut)) return {};
  auto awaited = log_.Await(ticket);
  if (awaited) return {};
  Turn turn(*this);
  RewindIfFailed();
  return awaited;
}

/// After a failure of the position log: what was taken and did not become durable is taken again.
void CursorState::RewindIfFailed() {
  const std::uint64_t failures = log_.failures();
  if (failures == failures_seen_) [[likely]]
    return;
  failures_seen_ = failures;
  MoveTo(std::max(log_.Durable(id_).value_or(position_), told_start_));
}

void CursorState::MoveTo(Offset position) {
  if (ahead_.next_read() != position) source_.Abandon(ahead_.next_read());
  position_ = position;
  ahead_.Reset(position);
  read_bytes_ = kReadBytesFirst;
  Ring();  // the readers that wait do so for another place now
}

Result<void> CursorState::PersistReturned() {
  const std::uint64_t returned = returned_;
  MR_ASSIGN_OR_RETURN(const PositionLog::Ticket ticket, log_.Move(id_, position_));
  busy_ = true;
  mutex_.Unlock();
  auto awaited = log_.Await(ticket);
  mutex_.Lock();
  if (!awaited) return awaited;
  persisted_ = returned;
  if (ended_) return *ended_;
  return {};
}

Result<void> CursorState::Persist() {
  if (consistency_.strict) return {};  // it is always
  Turn turn(*this);
  if (ended_ || returned_ == persisted_) return {};
  return PersistReturned();
}

void CursorState::Leave() {
  Turn turn(*this);
  source_.Abandon(ahead_.next_read());
}

void CursorState::End(const Error& error) {
  {
    MutexLock lock(mutex_);
    if (!ended_) ended_ = error;
  }
  Ring();
}

Result<PositionLog::Ticket> CursorState::EndStaged(const Error& error) {
  Result<PositionLog::Ticket> staged = PositionLog::Ticket();
  {
    MutexLock lock(mutex_);
    if (ended_) return staged;
    ended_ = error;  // a turn that goes on without the mutex finds it and moves nothing any more
    if (!consistency_.strict && returned_ != persisted_) staged = log_.Move(id_, position_);
  }
  Ring();
  return staged;
}

Result<bool> CursorState::Wait(std::chrono::milliseconds wait, const HandleCalls& handle) {
  const auto deadline = DeadlineAfter(clock_.Monotonic(), wait);
  for (bool woken = false;;) {
    const std::uint64_t rings = bell_->rings();
    if (handle.shut()) return Error(ErrorCode::kClosed, "the cursor is closed");
    const Offset position = [&] {
      MutexLock lock(mutex_);
      return position_;
    }();
    MR_TRY(CheckNotEnded());
    if (position < source_.bounds().end) return true;
    const auto left = TimeLeft(deadline, clock_.Monotonic());
    if (woken) {
      // By an append that is not visible yet, by a move of the position, or because the log has failed.
      MR_ASSIGN_OR_RETURN(const bool readable, Probe(position, left));
      if (readable) return true;
    }
    if (left == left.zero()) return false;
    const std::uint64_t ticket = source_.AddWaiter(position, [bell = bell_] { bell->Ring(); });
    woken = bell_->Await(rings, deadline, clock_);
    source_.CancelWaiter(ticket);
  }
}

/// Whether a read from `position` would say anything: entries, or what stands between it and them.
Result<bool> CursorState::Probe(Offset position, std::chrono::nanoseconds left) {
  ReadLimits limits{.bytes_max = 1};
  if (left != kNever) limits.timeout = std::chrono::ceil<std::chrono::milliseconds>(left);
  const auto read = source_.ReadBatches(position, limits);
  if (read) return !read->batches.empty() || read->next > position;
  if (read.error().code() == ErrorCode::kTimeout) return false;
  // Overtaken by retention: reads tell that themselves.
  if (read.error().code() == ErrorCode::kOutOfRange) return true;
  return read.error();
}

Result<void> CursorState::CheckNotEnded() const {
  MutexLock lock(mutex_);
  if (ended_) return *ended_;
  return {};
}

Offset CursorState::Position() const {
  MutexLock lock(mutex_);
  return position_;
}

Result<std::uint64_t> CursorState::UnreadCount() const {
  MutexLock lock(mutex_);
  if (ended_) return *ended_;
  const OffsetBounds bounds = source_.bounds();
  const std::int64_t unread = bounds.end - std::max(position_, bounds.log_start);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, unread));
}

Result<void> CursorState::Seek(Offset position) {
  const auto claim = claims_.Hold(source_.key(), position);
  const OffsetBounds bounds = source_.bounds();
  if (position < bounds.log_start || position > bounds.end) {
    MutexLock lock(mutex_);
    if (ended_) return *ended_;
    const TopicPartition& name = source_.name();
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("{}/{} has offsets {} to {}, not {}", name.topic, name.partition.value(),
                             bounds.log_start.value(), bounds.end.value(), position.value()))
        .WithBounds(bounds);
  }
  return SeekWithin(position);
}

Result<void> CursorState::SeekWithin(Offset position) {
  PositionLog::Ticket ticket;
  Offset before;
  std::uint64_t returned = 0;
  while (!ticket) {
    Turn turn(*this);
    MR_TRY(BeginTurn(ReadIntent::kPeek));
    if (consistency_.strict) {
      MR_ASSIGN_OR_RETURN(ticket, StageTaken(position));
      if (!ticket) continue;
    } else {
      MR_ASSIGN_OR_RETURN(ticket, log_.Move(id_, position));
    }
    before = position_;
    returned = returned_;
    damage_end_.reset();
    MoveTo(position);
  }
  auto awaited = log_.Await(ticket);
  Turn turn(*this);
  if (awaited) {
    persisted_ = std::max(persisted_, returned);
  } else if (consistency_.strict) {
    RewindIfFailed();
  } else if (position_ == position) {
    MoveTo(before);
  }
  return awaited;
}

Result<void> CursorState::SeekToTime(std::int64_t timestamp_ms) {
  MR_TRY(CheckNotEnded());
  MR_ASSIGN_OR_RETURN(const Offset offset, source_.OffsetForTime(timestamp_ms));
  const auto claim = claims_.Hold(source_.key(), offset);
  return SeekWithin(std::max(offset, source_.bounds().log_start));
}

Result<Offset> CursorState::SkipCorrupt() {
  std::optional<Offset> end;
  {
    MutexLock lock(mutex_);
    if (ended_) return *ended_;
    if (damage_end_ && *damage_end_ > position_) end = *damage_end_;
  }
  if (!end)
    return Error(ErrorCode::kInvalidArgument, "no read has reported damage at this position",
                 "read until kCorruption, or Seek past it");
  MR_TRY(SeekWithin(*end));
  return *end;
}

}  // namespace millrace
