// Where in the WAL a partition's offsets lie, sparsely: an entry for each interval of about 64 KiB of WAL. A read by
// offset begins at the entry before it and passes over less than an interval.
//
// The entries of all partitions share a budget. An index that is full and may not grow makes room in itself: it doubles
// what its intervals are to span and drops the entries that are too close then. So it always covers all of its
// partition's WAL, evenly, in what memory there is (docs/adr/0027-memory-of-the-wal-index.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "log/ring.h"
#include "log/wal_index_budget.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

/// Not thread-safe; the budget is shared. Memory: 40 bytes an entry, at least kPayloadPerEntry bytes of batches (or
/// kIntervalMax of WAL) each.
class WalIndex {
 public:
  static constexpr std::int64_t kIntervalBytes = 64 << 10;
  static constexpr std::uint64_t kPayloadPerEntry = 512;  // a partition with few bytes gets few entries ...
  static constexpr std::int64_t kIntervalMax = 4 << 20;   // ... but while there is memory none pins more WAL than this

  struct Entry {
    Offset base;                    // of the first batch in the interval
    WalPosition begin;              // of its frame
    std::uint64_t bytes_before;     // batch bytes of this partition before it, counted from recovery on
    std::int64_t timestamp_max_ms;  // over the interval
    std::int64_t appended_ms;       // when the interval began
  };

  /// Without a budget, as one that only carries entries has none, it grows as it likes.
  WalIndex() = default;
  explicit WalIndex(WalIndexBudget& budget) : budget_(&budget) {}
  ~WalIndex();
  WalIndex(WalIndex&& other) noexcept { Swap(other); }
  WalIndex& operator=(WalIndex&& other) noexcept;

  /// Whether a batch at `begin` opens a new interval; the caller then knows the time to give to Add.
  [[nodiscard]] bool OpensInterval(WalPosition begin) const;
  /// The batch at [base, ...) was appended as the frame `extent`.
  void Add(Offset base, WalExtent extent, std::uint64_t batch_bytes, std::int64_t timestamp_max_ms, bool opens_interval,
           std::int64_t now_ms);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Entry& operator[](std::size_t index) const { return entries_[index]; }
  /// Index of the interval that holds `offset`, the first one for what lies below. Precondition: not empty.
  [[nodiscard]] std::size_t Find(Offset offset) const;
  /// Index of the first interval that begins at or past `offset`; size() if none.
  [[nodiscard]] std::size_t FindAtOrAbove(Offset offset) const;
  /// Index of the first interval that begins at or past `position`; size() if none.
  [[nodiscard]] std::size_t FindBehind(WalPosition position) const;
  /// End of the last frame added.
  [[nodiscard]] WalPosition end() const { return end_; }
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  /// Batch bytes in [offset, end), counted in whole intervals: too high by less than one.
  [[nodiscard]] std::uint64_t BytesFrom(Offset offset) const;
  /// Batch bytes in [begin, end), counted in whole intervals. Precondition: not empty.
  [[nodiscard]] std::uint64_t BytesBetween(Offset begin, Offset end) const;
  [[nodiscard]] std::uint64_t bytes_held() const {
    return entries_.empty() ? 0 : bytes_total_ - entries_.front().bytes_before;
  }
  /// What an interval spans at least, at present.
  [[nodiscard]] std::int64_t interval_bytes() const { return kIntervalBytes << doublings_; }
  /// Of its own memory.
  [[nodiscard]] std::uint64_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }
  /// The part of it that is counted: what lies beyond WalIndexBudget::kFreeSlots.
  [[nodiscard]] std::uint64_t counted_bytes() const {
    return entries_.capacity() <= WalIndexBudget::kFreeSlots
               ? 0
               : (entries_.capacity() - WalIndexBudget::kFreeSlots) * sizeof(Entry);
  }

  /// As it was before: `entries` ascend, the last one begins before `end`. Has no budget.
  static WalIndex Restored(const std::vector<Entry>& entries, WalPosition end, std::uint64_t bytes_total);
  /// The same entries, without a budget.
  [[nodiscard]] WalIndex Copy() const;
  /// Takes over what `other` tells, as far as the budget allows. Precondition: empty, and nothing was ever added.
  void Adopt(const WalIndex& other);

  /// Drops intervals that begin before `position`.
  void DropBefore(WalPosition position);
  void Clear();
  /// The next batch opens an interval whatever its place.
  void CloseInterval() { interval_closed_ = true; }
  /// What lies at `offset` and above is needed: the interval it is in begins where it begins, however short memory
  /// gets. Joined with an earlier one, it would be dropped with it.
  void Keep(Offset offset) { kept_ = offset; }

 private:
  [[nodiscard]] bool FarEnough(const Entry& last, WalPosition begin, std::uint64_t bytes_before) const;
  void Push(const Entry& entry);
  void MakeRoom();
  void DropTooClose();
  /// Gives back what the entries do not take any more.
  void Settle();
  void Swap(WalIndex& other) noexcept;
  /// Entries ascend, by offset and by position. Debug builds.
  void CheckInvariants() const;

  Ring<Entry> entries_;
  WalPosition end_;
  std::uint64_t bytes_total_ = 0;
  bool interval_closed_ = false;
  int doublings_ = 0;  // of the distances above
  Offset kept_{0};
  WalIndexBudget* budget_ = nullptr;
  std::uint64_t taken_ = 0;  // of the budget
};

}  // namespace millrace
