// Gives WAL files back that no partition needs: everything in them is in a committed segment or below log_start.
#pragma once

#include "millrace/result.h"
#include "wal/disk_wal.h"

namespace millrace {

class TieredPartitions;

/// Safe from any thread.
class WalRecycler {
 public:
  explicit WalRecycler(DiskWal& wal) : wal_(wal) {}

  /// Recycles up to the oldest position any partition needs; true if space came back. Logs hear of it, so that
  /// hot_start moves.
  Result<bool> RecycleOnce(TieredPartitions& partitions, DiskWal::Seal seal);
  /// The share of the WAL's budget in use: from one half on uploads are hurried, from three quarters on space is taken
  /// back.
  [[nodiscard]] bool WantsUpload() const;
  [[nodiscard]] bool WantsSpace() const;

 private:
  DiskWal& wal_;
};

}  // namespace millrace
