#include "group/group_expiry.h"

#include <algorithm>
#include <set>

#include "base/try.h"
#include "meta/committed_offsets.h"
#include "meta/find_row.h"

namespace millrace {
namespace {

/// As a difference: times from disk may be any number.
bool IsOver(std::int64_t since_ms, const ExpiryTimes& times) {
  return since_ms > 0 && since_ms <= times.now_ms && times.now_ms - since_ms >= times.retention_ms;
}

}  // namespace

bool IsExpired(const PositionRow& position, const ExpiryTimes& times) {
  return position.committed_ms > 0 && IsOver(std::max(position.committed_ms, times.empty_since_ms), times);
}

Result<std::vector<std::string>> GroupExpiry::FindDue(MetadataStore& metadata) const {
  std::set<std::string> due;
  for (const auto& [name, since_ms] : empty_since_ms)
    if (IsOver(since_ms, {since_ms, now_ms, retention_ms})) due.insert(name);
  MR_TRY(CommittedOffsets(metadata).VisitPositions([&](const PositionRow& row) {
    const auto known = empty_since_ms.find(row.key.group);
    const std::int64_t since_ms = known == empty_since_ms.end() ? 0 : known->second;
    if (since_ms != kInUse && IsExpired(row, {since_ms, now_ms, retention_ms})) due.insert(row.key.group);
  }));
  return std::vector<std::string>(due.begin(), due.end());
}

Result<bool> ExpireGroup(MetadataStore& metadata, const std::string& group, const ExpiryTimes& times) {
  const CommittedOffsets offsets(metadata);
  MR_ASSIGN_OR_RETURN(auto rows, offsets.Positions(group));
  const std::size_t all = rows.size();
  std::erase_if(rows, [&](const PositionRow& row) { return !IsExpired(row, times); });
  const bool whole = rows.size() == all && (times.empty_since_ms == 0 || IsOver(times.empty_since_ms, times));
  if (!whole) {
    MR_TRY(offsets.Forget(rows));
    return false;
  }
  MR_TRY(offsets.DeleteGroup(group));
  return true;
}

GroupError ForgetPositions(MetadataStore& metadata, const std::string& group, std::span<const PositionKey> keys,
                           bool known) {
  const CommittedOffsets offsets(metadata);
  if (!known) {
    const auto rows = offsets.Positions(group);
    if (!rows) return GroupError::kCoordinatorNotAvailable;
    if (rows->empty()) return GroupError::kGroupIdNotFound;
  }
  const auto rows = FindRows(metadata, std::vector<PositionKey>(keys.begin(), keys.end()));
  if (!rows || !offsets.Forget(*rows)) return GroupError::kCoordinatorNotAvailable;
  return GroupError::kNone;
}

}  // namespace millrace
