#include "log/wal_index.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

bool WalIndex::OpensStretch(WalPosition begin) const {
  if (entries_.empty() || stretch_closed_) return true;
  const Entry& last = entries_.back();
  const std::int64_t distance = begin - last.begin;
  if (distance < kStretch) return false;
  return bytes_total_ - last.bytes_before >= kPayloadPerEntry || distance >= kStretchMax;
}

void WalIndex::Add(Offset base, WalExtent extent, std::uint64_t batch_bytes, std::int64_t timestamp_max_ms,
                   bool opens_stretch, std::int64_t now_ms) {
  MR_DCHECK(extent.begin >= end_, extent.begin.value(), end_.value());
  if (opens_stretch) {
    entries_.PushBack({base, extent.begin, bytes_total_, timestamp_max_ms, now_ms});
    stretch_closed_ = false;
  } else {
    Entry& last = entries_.back();
    last.timestamp_max_ms = std::max(last.timestamp_max_ms, timestamp_max_ms);
  }
  bytes_total_ += batch_bytes;
  end_ = extent.end;
}

std::size_t WalIndex::Find(Offset offset) const {
  const std::size_t above = entries_.PartitionPoint([&](const Entry& entry) { return entry.base <= offset; });
  return above == 0 ? 0 : above - 1;
}

std::size_t WalIndex::FindAtOrAbove(Offset offset) const {
  return entries_.PartitionPoint([&](const Entry& entry) { return entry.base < offset; });
}

std::uint64_t WalIndex::BytesFrom(Offset offset) const {
  if (entries_.empty()) return 0;
  return bytes_total_ - entries_[Find(offset)].bytes_before;
}

WalIndex WalIndex::Restored(const std::vector<Entry>& entries, WalPosition end, std::uint64_t bytes_total) {
  WalIndex index;
  for (const Entry& entry : entries) index.entries_.PushBack(entry);
  index.end_ = end;
  index.bytes_total_ = bytes_total;
  index.stretch_closed_ = true;
  return index;
}

void WalIndex::DropBefore(WalPosition position) {
  while (!entries_.empty() && entries_.front().begin < position) entries_.PopFront();
}

}  // namespace millrace
