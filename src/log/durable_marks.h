// Which offset is durable once the WAL is durable up to some position: one mark for each batch not known durable yet.
#pragma once

#include <cstddef>
#include <optional>

#include "base/check.h"
#include "log/ring.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

/// Bounded: when more batches wait than kMarksMax (nothing syncs, as under SyncPolicy::None), every second mark is
/// dropped. What is answered then is a little too low in the middle, never too high, and exact at the end. Not
/// thread-safe.
class DurableMarks {
 public:
  static constexpr std::size_t kMarksMax = 1024;

  [[nodiscard]] bool full() const { return marks_.size() >= kMarksMax; }
  [[nodiscard]] std::size_t size() const { return marks_.size(); }

  /// `wal_end` and `end` grow from call to call.
  void Push(WalPosition wal_end, Offset end) {
    MR_DCHECK(marks_.empty() || (marks_.back().wal_end < wal_end && marks_.back().end < end), wal_end.value(),
              end.value());
    if (full()) Thin();
    marks_.PushBack({wal_end, end});
  }
  /// The end of the last batch that lies wholly before `durable`; nothing if no batch became durable by it.
  std::optional<Offset> Take(WalPosition durable) {
    std::optional<Offset> end;
    while (!marks_.empty() && marks_.front().wal_end <= durable) {
      end = marks_.front().end;
      marks_.PopFront();
    }
    return end;
  }
  /// Forgets what ends at or before `end`.
  void DropThrough(Offset end) {
    while (!marks_.empty() && marks_.front().end <= end) marks_.PopFront();
  }

 private:
  struct Mark {
    WalPosition wal_end;
    Offset end;
  };

  /// An even number, so that the last one stays.
  void Thin() {
    static_assert(kMarksMax % 2 == 0);
    Ring<Mark> kept;
    for (std::size_t i = 1; i < marks_.size(); i += 2) kept.PushBack(marks_[i]);
    MR_DCHECK(!kept.empty() && kept.back().end == marks_.back().end, kept.size(), marks_.size());
    marks_ = std::move(kept);
  }

  Ring<Mark> marks_;
};

}  // namespace millrace
