#include "cursor_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::sim {

void LogModel::Add(const std::vector<LogEntry>& batch) {
  entries.insert(entries.end(), batch.begin(), batch.end());
  batch_ends.insert(end());
}

void LogModel::Cut(Offset new_end) {
  entries.resize(static_cast<std::size_t>(new_end.value()));
  batch_ends.erase(batch_ends.upper_bound(new_end), batch_ends.end());
}

bool LogModel::MayBeBroken(Offset begin, Offset end) const {
  return std::ranges::any_of(broken, [&](const auto& range) { return range.first <= begin && end <= range.second; });
}

Offset LogModel::FindTime(Offset begin, Offset end, std::int64_t timestamp_ms) const {
  while (begin < end && At(begin).timestamp_ms < timestamp_ms) begin += 1;
  return begin;
}

std::set<Offset> CursorModel::Candidates() const {
  std::set<Offset> candidates = recovered_;
  for (Offset at = durable_; at <= upper_; at += 1) candidates.insert(at);
  return candidates;
}

Offset CursorModel::PersistedMax() const {
  return recovered_.empty() ? upper_ : std::max(upper_, *recovered_.rbegin());
}

std::optional<std::string> CursorModel::Complaint(Offset position, std::optional<Offset> corrected,
                                                  const OffsetBounds& bounds) const {
  const Offset end = std::max(bounds.log_start, bounds.end);
  if (unsure_ && !corrected && position == bounds.log_start) return {};  // made anew
  bool fits = false, surely_moved = true, tells_right = false;
  for (const Offset candidate : Candidates()) {
    if (std::clamp(candidate, bounds.log_start, end) != position) continue;
    fits = true;
    surely_moved = surely_moved && candidate != position;
    tells_right = tells_right || (candidate != position && candidate == corrected);
  }
  if (!fits) {
    return fmt::format("stands at {} in [{}, {}], must be in [{}, {}]", position.value(), bounds.log_start.value(),
                       end.value(), durable_.value(), upper_.value());
  }
  if (corrected) {
    if (tells_right || cut_.contains(*corrected) || (told_ == corrected && !surely_moved)) return {};
    return fmt::format("at {}, says it was corrected from {}", position.value(), corrected->value());
  }
  if (surely_moved || (surely_cut_ && !told_)) return fmt::format("was moved to {} silently", position.value());
  return {};
}

void CursorModel::Opened(ReadConsistency mode, Offset position, std::optional<Offset> corrected) {
  mode_ = mode;
  handles_ = 1;
  position_ = durable_ = upper_ = position;
  unpersisted_ = 0;
  overtaken_ = false;
  recovered_.clear();
  unsure_ = may_go_;
  if (corrected) told_ = corrected;
}

void CursorModel::Closed(Outcome outcome) {
  --handles_;
  if (outcome == Outcome::kFailed || unpersisted_ == 0) return;
  if (!overtaken_) return MovedTo(position_);
  // What was returned is durable; where retention has put it may be, too.
  durable_ = upper_;
  upper_ = position_;
}

void CursorModel::Took(std::uint64_t count, Offset end) {
  if (mode_.strict) {
    if (count > 0) MovedTo(end);
    return;
  }
  if (unpersisted_ >= mode_.persist_every) {
    durable_ = upper_;
    unpersisted_ = 0;
  }
  unpersisted_ += count;
  if (count == 0) return;
  position_ = end;
  overtaken_ = false;
}

void CursorModel::Overtaken(Offset log_start, bool consuming) {
  // The call made durable what was due before it looked; what it found is durable with the next due persist only.
  if (consuming) Took(0, position_);
  position_ = log_start;
  overtaken_ = true;
}

void CursorModel::MovedTo(Offset position) {
  overtaken_ = false;
  position_ = durable_ = upper_ = position;
  unpersisted_ = 0;
}

void CursorModel::Died(Offset end) {
  handles_ = 0;
  told_.reset();
  may_go_ = false;
  recovered_.merge(doubtful_);
  doubtful_.clear();
  const std::set<Offset> candidates = Candidates();
  cut_ = std::set<Offset>(candidates.upper_bound(end), candidates.end());
  surely_cut_ = cut_.size() == candidates.size();
  if (cut_.empty()) return;
  durable_ = std::min(durable_, end);
  upper_ = std::min(upper_, end);
  recovered_.erase(recovered_.upper_bound(end), recovered_.end());
  recovered_.insert(end);
}

}  // namespace millrace::sim
