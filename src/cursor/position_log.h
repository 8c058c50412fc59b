// Where cursors stand, durably: one small synced write for all that move at once, whatever the number of cursors.
//
//   Define, Move, Remove ─► open group ─► (a caller leads) one frame, one sync ─► table ─► all of the group wake
//
// A write or sync that failed is final for its file: all who staged by then get the error, what they asked for did
// not happen, and the next change goes to a fresh file. The files are drawn in docs/format/position-log.md.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/aligned_bytes.h"
#include "base/group_gate.h"
#include "base/mutex.h"
#include "cursor/position_file.h"
#include "cursor/position_log_format.h"
#include "cursor/position_log_recovery.h"
#include "cursor/position_table.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

struct PositionLogOptions {
  std::filesystem::path directory;
  /// Of each file, whole blocks. Larger: rarer snapshots, and more space taken by an engine with one cursor.
  std::uint64_t file_bytes_min = 1 << 20;
};

struct PositionLogStats {
  std::uint64_t syncs = 0, written_bytes = 0, switches = 0;  // switches: of the live file
};

/// Safe from any thread.
class PositionLog {
 private:
  struct Group;

 public:
  /// What a caller staged, to be awaited.
  using Ticket = std::shared_ptr<Group>;

  /// Reads what is there, and writes its last frame once more. Errors: as RecoverPositions. Collaborators outlive
  /// the log.
  static Result<std::unique_ptr<PositionLog>> Open(PositionLogOptions options, FileSystem& file_system, Clock& clock);
  ~PositionLog();

  // Staging: no I/O. Changes of one cursor reach the disk in the order they were staged. Errors: kClosed, kNotFound
  // (removed, or about to be).
  struct Defined {
    CursorId id;
    Ticket ticket;
  };
  /// Precondition: no cursor of that key is there or being defined.
  Result<Defined> Define(CursorKey key, Offset position);
  Result<Ticket> Move(CursorId id, Offset position);
  /// The same, unless the log has failed since failures() was `failures`: then no ticket, and nothing is staged. For
  /// callers whose change only makes sense on top of earlier ones.
  Result<Ticket> MoveUnlessFailed(CursorId id, Offset position, std::uint64_t failures);
  Result<Ticket> Remove(CursorId id);
  /// Durable when this returns; an error means that it did not happen. Blocks for one sync, or two.
  Result<void> Await(const Ticket& ticket);

  /// Counts groups that failed: every change staged by then and not awaited with success did not happen.
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_acquire); }

  // What is durable.
  [[nodiscard]] std::optional<CursorId> Find(const CursorKey& key) const;
  [[nodiscard]] std::optional<Offset> Durable(CursorId id) const;
  [[nodiscard]] std::vector<PositionDefine> Of(const PartitionKey& partition) const;
  [[nodiscard]] std::vector<PositionDefine> All() const;
  [[nodiscard]] std::optional<Offset> Lowest(const PartitionKey& partition) const;

  [[nodiscard]] PositionLogStats Stats() const;
  /// Refuses new changes and waits for those that are staged.
  void Close();

 private:
  PositionLog(PositionLogOptions options, FileSystem& file_system, Clock& clock, RecoveredPositions recovered);
  Result<Ticket> Stage(PositionEntry entry) MR_REQUIRES(mutex_);
  [[nodiscard]] Result<void> CheckPresent(CursorId id) const MR_REQUIRES(mutex_);
  void LeadGroup();
  void Finish(const Ticket& group, const Result<void>& written);

  // Leader only.
  Result<void> WriteGroup(const std::vector<PositionEntry>& entries, CursorId next_id);
  Result<void> Switch(std::size_t frame_bytes);
  Result<void> WriteSnapshot(std::size_t slot, std::span<const std::byte> frame, std::uint64_t capacity);
  std::span<std::byte> Encode(const PositionFrameHeader& header, std::span<const PositionEntry> entries);

  // Constant after construction.
  const PositionLogOptions options_;
  FileSystem& file_system_;
  Clock& clock_;

  // Leader only; leadership passes through the mutex.
  std::array<std::unique_ptr<PositionFile>, 2> files_;  // null: not opened, or not usable any more
  std::array<bool, 2> present_;
  std::optional<std::size_t> newest_;  // which one has what is durable
  bool live_ = false;                  // and takes updates, from `end_` on
  std::uint64_t end_ = 0;
  std::uint64_t generation_;
  AlignedBytes buffer_;

  // Own synchronization.
  std::atomic<std::uint64_t> failures_{0};
  mutable Mutex mutex_;
  GroupGate gate_;
  CondVar idle_;
  PositionTable table_ MR_GUARDED_BY(mutex_);
  Ticket open_ MR_GUARDED_BY(mutex_);
  std::set<CursorId> removing_ MR_GUARDED_BY(mutex_);  // staged, not durable yet
  CursorId next_id_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;
  std::chrono::nanoseconds sync_time_ MR_GUARDED_BY(mutex_){0};
  PositionLogStats stats_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
