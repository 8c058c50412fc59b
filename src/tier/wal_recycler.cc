#include "tier/wal_recycler.h"

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "tier/tiered_partition.h"

namespace millrace {

WalPosition WalRecycler::OldestNeeded(TieredPartitions& partitions) {
  // Before any partition is asked: what is appended from now on lies past this.
  WalPosition oldest = wal_.durable_end();
  partitions.ForEach([&](TieredPartition& partition) {
    if (const auto needed = partition.log().OldestNeeded()) oldest = std::min(oldest, *needed);
  });
  std::int64_t known = needed_from_.load(std::memory_order_relaxed);
  while (known < oldest.value() &&
         !needed_from_.compare_exchange_weak(known, oldest.value(), std::memory_order_relaxed)) {
  }
  return oldest;
}

Result<bool> WalRecycler::RecycleOnce(TieredPartitions& partitions, DiskWal::Seal seal) {
  const WalPosition oldest = OldestNeeded(partitions);
  const WalPosition before = wal_.begin();
  if (oldest > before && wal_.Frees(oldest, seal)) {
    if (before_files_go_) MR_TRY(before_files_go_());
    MR_TRY(wal_.Recycle(oldest, seal));
  }
  const WalPosition begin = wal_.begin();
  MR_DCHECK(before <= begin && begin <= wal_.end(), before.value(), begin.value());
  // Also when nothing moved now: the step may have ended here the last time.
  partitions.ForEach([&](TieredPartition& partition) { partition.log().OnRecycled(begin); });
  return begin > before;
}

void WalRecycler::Look(TieredPartitions& partitions) { OldestNeeded(partitions); }

DiskWal::Space WalRecycler::Space() const {
  return wal_.space(WalPosition(needed_from_.load(std::memory_order_relaxed)));
}

bool WalRecycler::WantsUpload() const {
  const DiskWal::Space space = Space();
  return space.used_from >= space.max / 2;
}

bool WalRecycler::WantsSpace() const {
  const DiskWal::Space space = Space();
  return space.used >= space.max / 4 * 3;
}

bool WalRecycler::WantsEither() const {
  const DiskWal::Space space = Space();
  return space.used_from >= space.max / 2 || space.used >= space.max / 4 * 3;
}

std::optional<UploadPressure> WalRecycler::Pressure() const {
  const DiskWal::Space space = Space();
  if (space.used_from < space.max / 2) return {};
  const WalPosition needed_from(needed_from_.load(std::memory_order_relaxed)), whole = wal_.sealed_end();
  const std::uint64_t object_bytes = std::min(segment_bytes_max_, space.max / 2);
  return UploadPressure{.until = whole > needed_from ? whole : kEndOfWal, .bytes_min = object_bytes / 4 * 3};
}

}  // namespace millrace
