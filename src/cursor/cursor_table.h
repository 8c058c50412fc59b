// The cursors of an engine: by partition and name, open or not. What positions mean for those who forget.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "cursor/cursor_lease.h"
#include "cursor/cursor_state.h"
#include "cursor/position_log.h"
#include "cursor/reclaim_claims.h"
#include "millrace/clock.h"
#include "millrace/cursor.h"
#include "millrace/description.h"
#include "millrace/file_system.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "read/partition_source.h"

namespace millrace {

/// Safe from any thread. A position log that cannot be read leaves a table whose calls all say so.
class CursorTable {
 public:
  /// Reads the position log. Collaborators outlive the table. Its handles come in through `calls`, the engine's or one
  /// of its own; a handle that is not let pass touches nothing of what is here.
  CursorTable(PositionLogOptions options, FileSystem& file_system, Clock& clock, OnCorrected on_corrected = {},
              std::shared_ptr<CallGate> calls = std::make_shared<CallGate>());
  ~CursorTable();

  // After recovery, before the first reader or appender.
  /// Cursors of partitions that are gone go too.
  void ForgetUnless(const std::function<bool(const PartitionKey&)>& is_known);
  /// No position is past the end of what was recovered: those offsets will be given again, to other entries. An error
  /// means that one still is: nothing may be appended then, or no later opening could tell that it was.
  Result<void> HoldTo(const PartitionSource& source);

  /// `source` outlives the cursor. See Engine.
  Result<std::unique_ptr<Cursor>> Open(PartitionSource& source, std::string_view name, ReadConsistency consistency);
  /// Of one partition, by name.
  Result<std::vector<CursorDescription>> List(const PartitionSource& source);
  Result<void> Delete(const PartitionSource& source, std::string_view name);
  /// The topic is gone: its cursors go, handles answer `error`.
  void ForgetTopic(TopicId topic, const Error& error);
  /// A handle closes, no call is inside it any more; the last one closes the cursor. A name's state lives until then,
  /// so that no caller opens it anew beside a call that is still taking entries.
  Result<void> Release(const CursorLease& lease);

  /// Calls `forget` with what every cursor of the partition has durably passed, or `others_passed` if that is less, and
  /// returns what it returns; no cursor goes back below, and none is made there, until it has returned. False: nobody
  /// reads it, or there is no readable position log.
  Result<bool> Reclaim(const PartitionKey& partition, std::optional<Offset> others_passed,
                       const std::function<Result<bool>(Offset until)>& forget);
  [[nodiscard]] PositionLogStats Stats() const;
  /// Positions moved into the log since this table was made.
  [[nodiscard]] std::uint64_t corrected() const { return corrected_.load(std::memory_order_relaxed); }

  /// Persists what open cursors have returned; handles answer kClosed from now on. Waits for no read.
  Result<void> Close();
  /// After Close, once everything that reads wait for has ended: returns when no call is inside any handle.
  void AwaitCalls();

 private:
  struct OpenCursor {
    std::shared_ptr<CursorState> state;
    std::size_t handles = 0;
  };
  Result<void> CheckUsable() const MR_REQUIRES(mutex_);
  Result<CursorState::Standing> Hydrate(const PartitionSource& source, const CursorKey& key) MR_REQUIRES(mutex_);
  void Tell(const TopicPartition& partition, std::string_view name, Offset from, Offset to);

  // Constant after construction.
  Clock& clock_;
  const OnCorrected on_corrected_;
  const std::shared_ptr<CallGate> calls_;

  // Own synchronization.
  Result<std::unique_ptr<PositionLog>> log_;
  ReclaimClaims claims_;
  std::atomic<std::uint64_t> corrected_{0};

  Mutex mutex_;  // one opening, closing or deleting at a time, I/O included
  std::map<CursorKey, OpenCursor> open_ MR_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<CursorLease>> leases_ MR_GUARDED_BY(mutex_);  // of cursors that are gone, too
  std::map<CursorId, Offset> corrected_from_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
