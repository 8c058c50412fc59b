// Cursor: a named place in one partition that survives restarts. A reader takes the next entries and moves it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/export.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// Any number of threads; entries are shared among them. Handles of one name share one position. Closes itself.
///
/// ReadConsistency::StrictlyAtOnce: the position past an entry is on the disk before the entry leaves; no entry is
/// handed out twice, whatever crashes. AtLeastOnce(n): a call makes durable only what earlier calls returned; once that
/// count has reached n, it does so first and hands out then. After a crash at most n - 1 entries and those of the last
/// call come again, and none is missing. Single and batch reads count alike.
///
/// Errors of every call: kClosed (handle or engine), kNotFound (cursor or topic deleted). Of reads also: kCorruption
/// with damage(), until Seek or SkipCorrupt; kOutOfRange with bounds, once, when retention has overtaken the position,
/// which then goes on at log_start; kUnavailable (store; retry) and whatever keeps the position from the disk. None of
/// them moves the position or loses an entry.
class MILLRACE_EXPORT Cursor {
 public:
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  /// The next entry; none at the visible end. `checkpoint` consumes it; without, the call is a peek: nothing moves,
  /// nothing is persisted, nothing becomes reclaimable. Cost: a lock and a copy; a read of up to 1 MiB where what was
  /// read ahead is used up; one small synced write where the mode asks for it, shared with other threads and cursors.
  Result<std::optional<Record>> ReadNext(bool checkpoint) noexcept;
  /// The next entries in log order: as many as fit `max_bytes` of payload (keys, values, headers; no framing), at least
  /// one if there is any, at most 2,000. Empty at the visible end. Ends before damage, which the next call reports.
  /// Cost: as ReadNext, once for all of them.
  Result<std::vector<Record>> ReadBatch(std::uint64_t max_bytes, bool checkpoint) noexcept;
  /// Blocks until there is something to read (true) or `wait` has passed. Woken by appends, without polling.
  Result<bool> Wait(std::chrono::milliseconds wait) noexcept;

  /// The offset the next read begins at. Cost: memory.
  [[nodiscard]] Offset Position() const noexcept;
  /// Entries between the position and the visible end. Cost: memory.
  [[nodiscard]] Result<std::uint64_t> UnreadCount() const noexcept;
  /// Durable on return. kOutOfRange with bounds outside [log_start, visible end]; then nothing moved. Cost: one synced
  /// block, shared with other cursors.
  Result<void> Seek(Offset position) noexcept;
  /// To the first entry whose timestamp (milliseconds since 1970) is at or past it; none: the visible end. Errors and
  /// cost: of Engine::OffsetForTime and of Seek.
  Result<void> SeekToTime(std::int64_t timestamp_ms) noexcept;
  /// Past the damage a read has just reported; the new position. kInvalidArgument if none was. Cost: as Seek.
  Result<Offset> SkipCorrupt() noexcept;
  /// The persisted position, if it had to be moved into [log_start, visible end] when the engine or the cursor opened.
  [[nodiscard]] std::optional<Offset> CorrectedFrom() const noexcept;
  /// Persists what was returned. Again: no-op. Cost: one synced block if the position moved since.
  Result<void> Close() noexcept;

  class Implementation;
  explicit Cursor(std::unique_ptr<Implementation> implementation);

 private:
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace
