// Where in the WAL a partition's offsets lie, sparsely: an entry for each stretch of about 64 KiB of WAL. A read by
// offset begins at the entry before it and passes over less than a stretch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "log/ring.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

/// Not thread-safe. Memory: 40 bytes an entry, at least kPayloadPerEntry bytes of batches (or kStretchMax of WAL) each.
class WalIndex {
 public:
  static constexpr std::int64_t kStretch = 64 << 10;
  static constexpr std::uint64_t kPayloadPerEntry = 512;  // a partition with few bytes gets few entries ...
  static constexpr std::int64_t kStretchMax = 4 << 20;    // ... but no entry pins more of the WAL than this

  struct Entry {
    Offset base;                    // of the first batch in the stretch
    WalPosition begin;              // of its frame
    std::uint64_t bytes_before;     // batch bytes of this partition before it, counted from recovery on
    std::int64_t timestamp_max_ms;  // over the stretch
    std::int64_t appended_ms;       // when the stretch began
  };

  /// Whether a batch at `begin` opens a new stretch; the caller then knows the time to give to Add.
  [[nodiscard]] bool OpensStretch(WalPosition begin) const;
  /// The batch at [base, ...) was appended as the frame `extent`.
  void Add(Offset base, WalExtent extent, std::uint64_t batch_bytes, std::int64_t timestamp_max_ms, bool opens_stretch,
           std::int64_t now_ms);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Entry& operator[](std::size_t index) const { return entries_[index]; }
  /// Index of the stretch that holds `offset`, the first one for what lies below. Precondition: not empty.
  [[nodiscard]] std::size_t Find(Offset offset) const;
  /// Index of the first stretch that begins at or past `offset`; size() if none.
  [[nodiscard]] std::size_t FindAtOrAbove(Offset offset) const;
  /// End of the last frame added.
  [[nodiscard]] WalPosition end() const { return end_; }
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  /// Batch bytes in [offset, end), counted in whole stretches: too high by less than one.
  [[nodiscard]] std::uint64_t BytesFrom(Offset offset) const;
  [[nodiscard]] std::uint64_t bytes_held() const {
    return entries_.empty() ? 0 : bytes_total_ - entries_.front().bytes_before;
  }

  /// As it was before: `entries` ascend, the last one begins before `end`.
  static WalIndex Restored(const std::vector<Entry>& entries, WalPosition end, std::uint64_t bytes_total);

  /// Drops stretches that begin before `position`.
  void DropBefore(WalPosition position);
  void Clear() { entries_.Clear(); }
  /// The next batch opens a stretch whatever its place.
  void CloseStretch() { stretch_closed_ = true; }

 private:
  Ring<Entry> entries_;
  WalPosition end_;
  std::uint64_t bytes_total_ = 0;
  bool stretch_closed_ = false;
};

}  // namespace millrace
