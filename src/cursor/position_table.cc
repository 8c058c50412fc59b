#include "cursor/position_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace millrace {

Result<void> PositionTable::Apply(const PositionEntry& entry) {
  if (const auto* define = std::get_if<PositionDefine>(&entry)) {
    const auto [name, is_new] = by_key_.try_emplace(define->key, define->id);
    if (!is_new || !by_id_.try_emplace(define->id, Standing{define->position, name}).second) {
      if (is_new) by_key_.erase(name);
      return Error(ErrorCode::kCorruption, fmt::format("the position log defines cursor {} twice", define->key.name));
    }
    KeepIdsBelow(CursorId(define->id.value() + 1));
    return {};
  }
  const auto* move = std::get_if<PositionMove>(&entry);
  const CursorId id = move != nullptr ? move->id : std::get<PositionRemove>(entry).id;
  const auto found = by_id_.find(id);
  if (found == by_id_.end())
    return Error(ErrorCode::kCorruption,
                 fmt::format("the position log moves cursor {}, which is not there", id.value()));
  if (move != nullptr) {
    found->second.position = move->position;
  } else {
    by_key_.erase(found->second.name);
    by_id_.erase(found);
  }
  return {};
}

void PositionTable::KeepIdsBelow(CursorId next) { next_id_ = std::max(next_id_, next); }

std::optional<CursorId> PositionTable::Find(const CursorKey& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {};
  return found->second;
}

std::optional<Offset> PositionTable::Position(CursorId id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return {};
  return found->second.position;
}

PositionDefine PositionTable::Described(const ByKey::value_type& entry) const {
  return {entry.second, entry.first, by_id_.at(entry.second).position};
}

template <class Visit>
void PositionTable::ForEachOf(const PartitionKey& partition, Visit visit) const {
  for (auto at = by_key_.lower_bound({partition, ""}); at != by_key_.end() && at->first.partition == partition; ++at)
    visit(*at);
}

std::vector<PositionDefine> PositionTable::Of(const PartitionKey& partition) const {
  std::vector<PositionDefine> cursors;
  ForEachOf(partition, [&](const auto& entry) { cursors.push_back(Described(entry)); });
  return cursors;
}

std::vector<PositionDefine> PositionTable::All() const {
  std::vector<PositionDefine> cursors;
  cursors.reserve(by_key_.size());
  for (const auto& entry : by_key_) cursors.push_back(Described(entry));
  return cursors;
}

std::optional<Offset> PositionTable::Lowest(const PartitionKey& partition) const {
  std::optional<Offset> lowest;
  ForEachOf(partition, [&](const auto& entry) {
    const Offset position = by_id_.at(entry.second).position;
    lowest = lowest ? std::min(*lowest, position) : position;
  });
  return lowest;
}

}  // namespace millrace
