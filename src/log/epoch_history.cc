#include "log/epoch_history.h"

#include <algorithm>

namespace millrace {

EpochHistory::EpochHistory(LeaderEpoch present, std::span<const EpochRow> rows, Offset log_start) : present_(present) {
  if (rows.empty()) return;
  entries_.reserve(rows.size() + 1);
  if (rows.front().first > log_start) entries_.push_back({LeaderEpoch(0), Offset(0)});
  for (const EpochRow& row : rows) {
    // Rows are believed where they ascend; a store of another make may hold any.
    const bool ascends = entries_.empty() || (row.epoch > entries_.back().epoch && row.first > entries_.back().first);
    if (ascends && row.epoch <= present) entries_.push_back({row.epoch, row.first});
  }
}

LeaderEpoch EpochHistory::At(Offset offset) const {
  const auto behind = std::ranges::upper_bound(entries_, offset, {}, &Entry::first);
  if (behind == entries_.begin()) return entries_.empty() ? present_ : entries_.front().epoch;
  return std::prev(behind)->epoch;
}

std::optional<EpochEnd> EpochHistory::EndOf(LeaderEpoch asked, Offset log_end) const {
  if (asked.value() < 0 || asked > present_) return std::nullopt;
  if (asked == present_) return EpochEnd{asked, log_end};
  const auto higher = std::ranges::upper_bound(entries_, asked, {}, &Entry::epoch);
  if (entries_.empty()) return EpochEnd{asked, Offset(0)};
  if (higher == entries_.end()) return EpochEnd{entries_.back().epoch, log_end};
  if (higher == entries_.begin()) return EpochEnd{asked, higher->first};
  return EpochEnd{std::prev(higher)->epoch, higher->first};
}

}  // namespace millrace
