#include "tier/wal_recycler.h"

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "tier/tiered_partition.h"

namespace millrace {

Result<bool> WalRecycler::RecycleOnce(TieredPartitions& partitions, DiskWal::Seal seal) {
  // Before any partition is asked: what is appended from now on lies past this.
  WalPosition oldest = wal_.durable_end();
  partitions.ForEach([&](TieredPartition& partition) {
    if (const auto needed = partition.log().OldestNeeded()) oldest = std::min(oldest, *needed);
  });
  const WalPosition before = wal_.begin();
  if (oldest > before) MR_TRY(wal_.Recycle(oldest, seal));
  const WalPosition begin = wal_.begin();
  MR_DCHECK(before <= begin && begin <= wal_.end(), before.value(), begin.value());
  // Also when nothing moved now: the step may have ended here the last time.
  partitions.ForEach([&](TieredPartition& partition) { partition.log().OnRecycled(begin); });
  return begin > before;
}

bool WalRecycler::WantsUpload() const {
  const DiskWal::Space space = wal_.space();
  return space.used >= space.max / 2;
}

bool WalRecycler::WantsSpace() const {
  const DiskWal::Space space = wal_.space();
  return space.used >= space.max / 4 * 3;
}

}  // namespace millrace
