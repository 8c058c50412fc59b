// Under which epochs the offsets of a partition were appended: what OffsetForLeaderEpoch asks.
//
//   epoch     0          3             4
//   offsets   [0 … 57)   [57 … 200)    [200 … log_end)        epochs between have no records
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/types.h"

namespace millrace {

/// The largest epoch at or below the one asked for, and where it ended.
struct EpochEnd {
  LeaderEpoch epoch;
  Offset end;
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

/// Not safe from several threads at once.
class EpochHistory {
 public:
  /// In `present` since the first offset.
  explicit EpochHistory(LeaderEpoch present) : present_(present) {}
  /// `rows`: of the partition, by epoch; none: as above. What lies between log_start and the first of them is of epoch
  /// 0, which has no row.
  EpochHistory(LeaderEpoch present, std::span<const EpochRow> rows, Offset log_start);

  [[nodiscard]] LeaderEpoch present() const { return present_; }
  /// Of the record at `offset`, or of the next to come there.
  [[nodiscard]] LeaderEpoch At(Offset offset) const;
  /// None: `asked` is above the present one, or none. Below the first one that is known: where that one began, under
  /// the epoch asked for. Source: meaning after Kafka's LeaderEpochFileCache.endOffsetFor.
  [[nodiscard]] std::optional<EpochEnd> EndOf(LeaderEpoch asked, Offset log_end) const;

 private:
  struct Entry {
    LeaderEpoch epoch;
    Offset first;
  };
  LeaderEpoch present_;
  std::vector<Entry> entries_;  // ascending in both, the last is of the present one; empty: one, from offset 0
};

}  // namespace millrace
