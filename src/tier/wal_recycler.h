// Gives WAL files back that no partition needs: everything in them is in a committed segment or below log_start. Says
// when the budget of the WAL asks for uploads, and for which.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "millrace/result.h"
#include "tier/upload_schedule.h"
#include "wal/disk_wal.h"

namespace millrace {

class TieredPartitions;

/// Safe from any thread.
class WalRecycler {
 public:
  /// `segment_bytes_max`: what an object holds at most. `before_files_go`: makes durable what else only their frames
  /// can tell; called under no lock. If it fails, they stay.
  WalRecycler(DiskWal& wal, std::uint64_t segment_bytes_max, std::function<Result<void>()> before_files_go = {})
      : wal_(wal), segment_bytes_max_(segment_bytes_max), before_files_go_(std::move(before_files_go)) {}

  /// Recycles up to the oldest position any partition needs; true if space came back. Logs hear of it, so that
  /// hot_start moves.
  Result<bool> RecycleOnce(TieredPartitions& partitions, DiskWal::Seal seal);
  /// Finds out from where on the WAL is needed. Cost: a look at each partition.
  void Look(TieredPartitions& partitions);
  /// What is needed, as of the last look, takes one half of the WAL's budget: uploads are hurried.
  [[nodiscard]] bool WantsUpload() const;
  /// The files take three quarters of it: space is taken back.
  [[nodiscard]] bool WantsSpace() const;
  [[nodiscard]] bool WantsEither() const;
  /// What to hurry, as of the last look; none: nothing. The content of the oldest whole files, so that files come back
  /// and what is fresh stays together; in objects that are worth it.
  [[nodiscard]] std::optional<UploadPressure> Pressure() const;

 private:
  WalPosition OldestNeeded(TieredPartitions& partitions);
  [[nodiscard]] DiskWal::Space Space() const;

  DiskWal& wal_;
  const std::uint64_t segment_bytes_max_;
  const std::function<Result<void>()> before_files_go_;
  std::atomic<std::int64_t> needed_from_{0};  // a lower bound: what is needed only moves on
};

}  // namespace millrace
