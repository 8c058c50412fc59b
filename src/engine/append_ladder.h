// The ladder of an append that is staged: os ─► disk ─► object, as far up as the durability asked for. What is decided
// between staging and receipt is decided here; how an append waits is its own: Appender blocks, AsyncAppends is called.
#pragma once

#include <functional>
#include <optional>

#include "millrace/options.h"
#include "millrace/result.h"
#include "tier/upload_schedule.h"
#include "wal/wal.h"

namespace millrace {

/// Where a staged append ends in the WAL and in its partition, and how far up it goes.
struct StagedAppend {
  WalPosition wal_end;
  Offset end;
  Durability asked = Durability::kOs;
};

/// What failed on each rung. A failure concerns the appends up to `end` that do not stand on the rung yet, and none
/// that are staged behind it.
struct RungFailures {
  template <class End>
  struct UpTo {
    Error error;
    End end;
  };
  std::optional<UpTo<WalPosition>> disk;
  std::optional<UpTo<Offset>> object;

  /// Null: none that concerns `append`.
  [[nodiscard]] const Error* Of(Durability rung, const StagedAppend& append) const;
};

/// Safe from any thread.
class AppendLadder {
 public:
  /// Collaborators outlive it.
  AppendLadder(Wal& wal, UploadSchedule& uploads) : wal_(wal), uploads_(uploads) {}

  /// The rung above `reached`; none: `asked` is reached. What is staged stands on kOs.
  static std::optional<Durability> RungAbove(Durability reached, Durability asked);
  /// Call once after staging, before any wait: an upload that is asked for goes along with the sync.
  void Begin(PartitionUpload& upload, const StagedAppend& append);
  /// The first rung that `append` still waits for; none: it has its receipt; an error: the failure that is its outcome.
  [[nodiscard]] Result<std::optional<Durability>> Missing(const PartitionUpload& upload, const StagedAppend& append,
                                                          const RungFailures& failures) const;
  /// Calls `done` once `append` stands on `rung` (inline if it does), or with the reason why it never will, under no
  /// lock.
  void OnRung(Durability rung, PartitionUpload& upload, const StagedAppend& append,
              std::move_only_function<void(const Result<void>&)> done);

 private:
  [[nodiscard]] bool StandsOn(Durability rung, const PartitionUpload& upload, const StagedAppend& append) const;

  Wal& wal_;
  UploadSchedule& uploads_;
};

}  // namespace millrace
