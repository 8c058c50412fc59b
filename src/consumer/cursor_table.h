// The cursors of an engine: by partition and name, open or not. What positions mean for those who forget.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "consumer/cursor_state.h"
#include "consumer/partition_source.h"
#include "consumer/position_log.h"
#include "millrace/clock.h"
#include "millrace/cursor.h"
#include "millrace/engine.h"
#include "millrace/file_system.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. A position log that cannot be read leaves a table whose calls all say so.
class CursorTable {
 public:
  /// Reads the position log. Collaborators outlive the table.
  CursorTable(PositionLogOptions options, FileSystem& file_system, Clock& clock);

  // After recovery, before anybody reads or appends.
  /// Cursors of partitions that are gone go too.
  void ForgetUnless(const std::function<bool(const PartitionKey&)>& is_known);
  /// No position is past the end of what was recovered: those offsets will be given again, to other entries. An error
  /// means that one still is: nothing may be appended then, or nobody could tell any more.
  Result<void> HoldTo(const PartitionSource& source);

  /// `source` outlives the cursor. See Engine.
  Result<std::unique_ptr<Cursor>> Open(PartitionSource& source, std::string_view name, ReadConsistency consistency);
  /// Of one partition, by name.
  Result<std::vector<CursorDescription>> List(const PartitionSource& source);
  Result<void> Delete(const PartitionSource& source, std::string_view name);
  /// The topic is gone: its cursors go, handles answer `error`.
  void ForgetTopic(TopicId topic, const Error& error);
  /// A handle closes; the last one closes the cursor.
  Result<void> Release(const CursorState& state);

  /// Every cursor of the partition has durably passed this; none: it has no cursor, or nobody knows.
  [[nodiscard]] std::optional<Offset> ConsumedUntil(const PartitionKey& partition) const;
  [[nodiscard]] PositionLogStats Stats() const;

  /// Persists what open cursors have returned; handles answer kClosed from now on.
  Result<void> Close();

 private:
  struct OpenCursor {
    std::shared_ptr<CursorState> state;
    std::size_t handles = 0;
  };
  Result<void> CheckUsable() const MR_REQUIRES(mutex_);
  Result<CursorState::Standing> Hydrate(const PartitionSource& source, const CursorKey& key) MR_REQUIRES(mutex_);

  // Constant after construction.
  Clock& clock_;
  Result<std::unique_ptr<PositionLog>> log_;  // own synchronization

  Mutex mutex_;  // one opening, closing or deleting at a time, I/O included
  std::map<CursorKey, OpenCursor> open_ MR_GUARDED_BY(mutex_);
  std::map<CursorId, Offset> corrected_from_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
