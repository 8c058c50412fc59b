// One named cursor while it is open: where it stands, what it has read ahead, and whose turn it is. All handles of its
// name share it.
//
//   durable position  <=  position  <=  read ahead          (strict: taken, and staged to the position log at once)
//
// Taking entries is one thread's turn at a time: it holds the mutex, and where it has to read or to persist it lets go
// of the mutex and stays busy. Under StrictlyAtOnce the sync of a position is awaited after the turn, so that many
// threads share it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bell.h"
#include "base/mutex.h"
#include "cursor/cursor_read_ahead.h"
#include "cursor/handle_calls.h"
#include "cursor/position_log.h"
#include "cursor/reclaim_claims.h"
#include "millrace/clock.h"
#include "millrace/options.h"
#include "millrace/record.h"
#include "millrace/result.h"
#include "read/partition_source.h"

namespace millrace {

enum class ReadIntent { kPeek, kConsume };

/// Safe from any thread.
class CursorState {
 public:
  struct Standing {
    CursorId id;
    Offset position;
    std::optional<Offset> corrected_from;
  };
  /// Collaborators outlive it.
  CursorState(PartitionSource& source, PositionLog& log, ReclaimClaims& claims, Clock& clock,
              ReadConsistency consistency, const Standing& standing);

  /// Fills `record`, which is empty, if there is an entry. After an error it means nothing.
  Result<void> ReadNext(ReadIntent intent, std::optional<Record>& record);
  Result<std::vector<Record>> ReadBatch(std::uint64_t bytes_max, ReadIntent intent);
  /// Ends with kClosed when `handle` is shut and Ring was called.
  Result<bool> Wait(std::chrono::milliseconds wait, const HandleCalls& handle);
  [[nodiscard]] Offset Position() const;
  [[nodiscard]] Result<std::uint64_t> UnreadCount() const;
  Result<void> Seek(Offset position);
  Result<void> SeekToTime(std::int64_t timestamp_ms);
  Result<Offset> SkipCorrupt();

  /// Makes durable what was returned.
  Result<void> Persist();
  /// No reader goes on here: what is fetched ahead for this cursor goes.
  void Leave();
  /// From now on every call answers `error`; a read under way hands out nothing any more.
  void End(const Error& error);
  /// The same, and what was returned is staged to become durable. Waits for no read. No ticket: nothing is to be done.
  Result<PositionLog::Ticket> EndStaged(const Error& error);
  /// The readers who wait look again.
  void Ring() { bell_->Ring(); }

  [[nodiscard]] CursorId id() const { return id_; }
  [[nodiscard]] ReadConsistency consistency() const { return consistency_; }
  [[nodiscard]] std::optional<Offset> corrected_from() const { return corrected_from_; }

 private:
  class Turn;
  class Unwound;
  Result<void> CheckNotEnded() const;
  Result<void> BeginTurn(ReadIntent intent) MR_REQUIRES(mutex_);
  Result<bool> LookOrFill(CursorReadAhead::Walk& walk) MR_REQUIRES(mutex_);
  Result<bool> Fill() MR_REQUIRES(mutex_);
  Result<bool> Probe(Offset position, std::chrono::nanoseconds left);
  Error Judged(const Error& error) MR_REQUIRES(mutex_);
  Result<std::vector<Record>> Gather(std::uint64_t bytes_max, ReadIntent intent) MR_REQUIRES(mutex_);
  Result<PositionLog::Ticket> StageTaken(Offset position) MR_REQUIRES(mutex_);
  Result<void> AwaitTaken(const PositionLog::Ticket& ticket);
  Result<void> PersistReturned() MR_REQUIRES(mutex_);
  void RewindIfFailed() MR_REQUIRES(mutex_);
  void MoveTo(Offset position) MR_REQUIRES(mutex_);
  Result<void> SeekWithin(Offset position);

  PartitionSource& source_;
  PositionLog& log_;
  ReclaimClaims& claims_;
  Clock& clock_;
  const ReadConsistency consistency_;
  const CursorId id_;
  const std::optional<Offset> corrected_from_;
  /// Rung when there may be something to read. Shared with wakers that may still run when the cursor is gone.
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();

  mutable Mutex mutex_;
  CondVar turn_;
  bool busy_ MR_GUARDED_BY(mutex_) = false;  // a turn goes on without the mutex
  CursorReadAhead ahead_ MR_GUARDED_BY(mutex_);
  Offset position_ MR_GUARDED_BY(mutex_);
  Offset told_start_ MR_GUARDED_BY(mutex_){0};              // a log_start the caller was told to have been overtaken by
  std::optional<Offset> damage_end_ MR_GUARDED_BY(mutex_);  // of the damage last reported
  std::uint64_t read_bytes_ MR_GUARDED_BY(mutex_);          // of the next read ahead
  std::uint64_t returned_ MR_GUARDED_BY(mutex_) = 0, persisted_ MR_GUARDED_BY(mutex_) = 0;  // entries, at least once
  std::uint64_t failures_seen_ MR_GUARDED_BY(mutex_);  // of the position log; strict
  std::optional<Error> ended_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
