#include "consumer/position_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/bugs.h"
#include "base/try.h"
#include "meta/committed_offsets.h"

namespace millrace {

Result<std::vector<PartitionPosition>> MetadataPositionStore::Load(std::string_view group) {
  MR_ASSIGN_OR_RETURN(const auto rows, CommittedOffsets(metadata_).Positions(group));
  std::vector<PartitionPosition> positions;
  positions.reserve(rows.size());
  for (const PositionRow& row : rows) positions.push_back({row.key.partition, row.position});
  std::ranges::sort(positions, {}, &PartitionPosition::partition);
  return positions;
}

Result<void> MetadataPositionStore::Store(std::string_view group, std::span<const PartitionPosition> positions) {
  if (positions.empty() || Planted(Bug::kPositionCommitIgnored)) return {};
  Waiting mine;
  mine.rows.reserve(positions.size());
  for (const PartitionPosition& position : positions)
    mine.rows.push_back({{std::string(group), position.partition}, position.position});
  MutexLock lock(mutex_);
  waiting_.push_back(&mine);
  while (!mine.done) {
    if (leading_) {
      led_.Wait(mutex_);
    } else {
      Lead();
    }
  }
  return std::move(mine.result);
}

/// Stores for all that wait by now; the callers that come meanwhile find the next leader among themselves.
void MetadataPositionStore::Lead() noexcept {
  leading_ = true;
  const std::vector<Waiting*> together = std::exchange(waiting_, {});
  mutex_.Unlock();
  StoreTogether(together);
  mutex_.Lock();
  for (Waiting* each : together) each->done = true;
  leading_ = false;
  led_.NotifyAll();
}

void MetadataPositionStore::StoreTogether(const std::vector<Waiting*>& waiting) {
  if (waiting.size() > 1) {
    std::vector<PositionRow> rows;
    for (const Waiting* each : waiting) rows.insert(rows.end(), each->rows.begin(), each->rows.end());
    if (CommittedOffsets(metadata_).CommitPositions(rows)) return;
  }
  // Alone, or one of them spoils it: each answers for its own.
  for (Waiting* each : waiting) each->result = StoreRows(each->rows);
}

/// An error of a commit says nothing of its effect: what is there decides.
Result<void> MetadataPositionStore::StoreRows(std::span<const PositionRow> rows) {
  auto committed = CommittedOffsets(metadata_).CommitPositions(rows);
  if (committed) return committed;
  const auto there = CommittedOffsets(metadata_).Positions(rows.front().key.group);
  const bool all = there && std::ranges::all_of(rows, [&](const PositionRow& row) {
                     return std::ranges::find(*there, row) != there->end();
                   });
  if (all) return {};
  return committed;
}

Result<void> MetadataPositionStore::HoldTo(
    const std::function<std::optional<std::pair<TopicPartition, Offset>>(const PartitionKey&)>& end_of) {
  const auto is_damage = [](const Error& error) {
    return error.code() == ErrorCode::kCorruption || error.code() == ErrorCode::kUnsupported;
  };
  const auto groups = CommittedOffsets(metadata_).Groups();
  if (!groups) return is_damage(groups.error()) ? Result<void>() : groups.error();
  for (const std::string& group : *groups) {
    const auto rows = CommittedOffsets(metadata_).Positions(group);
    if (!rows && is_damage(rows.error())) continue;
    if (!rows) return rows.error();
    std::vector<PositionRow> held;
    for (const PositionRow& row : *rows) {
      const auto end = end_of(row.key.partition);
      if (!end || row.position <= end->second) continue;
      PositionRow& moved = held.emplace_back(row);
      moved.position = end->second;
      moved.leader_epoch.reset();  // of a record that is not there
      {
        MutexLock lock(mutex_);
        corrected_from_.emplace(row.key, row.position);
      }
      corrected_.fetch_add(1, std::memory_order_relaxed);
      if (on_corrected_)
        on_corrected_(end->first, fmt::format("group {} stood at offset {} of {}/{}, past the end of what was "
                                              "recovered, and goes on at {}",
                                              group, row.position.value(), end->first.topic,
                                              end->first.partition.value(), end->second.value()));
    }
    if (held.empty()) continue;
    if (auto stored = StoreRows(held); !stored)
      return stored.error().WithContext(fmt::format("cannot move group {} back into the log", group));
  }
  return {};
}

std::optional<Offset> MetadataPositionStore::CorrectedFrom(std::string_view group,
                                                           const PartitionKey& partition) const {
  MutexLock lock(mutex_);
  const auto found = corrected_from_.find({std::string(group), partition});
  if (found == corrected_from_.end()) return {};
  return found->second;
}

Result<void> MetadataPositionStore::Remove(std::string_view group) {
  auto deleted = CommittedOffsets(metadata_).DeleteGroup(group);
  if (!deleted) return deleted.error();
  return {};
}

}  // namespace millrace
