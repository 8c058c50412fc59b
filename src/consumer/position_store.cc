#include "consumer/position_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/bugs.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::size_t kGroupNameBytesMax = 249;

}  // namespace

Result<std::vector<PartitionPosition>> MetadataPositionStore::Load(std::string_view group) {
  MR_ASSIGN_OR_RETURN(const auto rows, metadata_.Positions(group));
  std::vector<PartitionPosition> positions;
  positions.reserve(rows.size());
  for (const PositionRow& row : rows) positions.push_back({row.key.partition, row.position});
  std::ranges::sort(positions, {}, &PartitionPosition::partition);
  return positions;
}

Result<void> MetadataPositionStore::Store(std::string_view group, std::span<const PartitionPosition> positions) {
  if (positions.empty() || Planted(Bug::kPositionCommitIgnored)) return {};
  std::vector<PositionRow> rows;
  rows.reserve(positions.size());
  for (const PartitionPosition& position : positions)
    rows.push_back({{std::string(group), position.partition}, position.position});
  return metadata_.CommitPositions(rows);
}

Result<void> MetadataPositionStore::Remove(std::string_view group) { return metadata_.DeleteGroup(group); }

Result<void> CheckGroupName(std::string_view group) {
  if (group.empty() || group.size() > kGroupNameBytesMax)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a group's name has 1 to {} bytes, this one {}", kGroupNameBytesMax, group.size()));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(group, is_control))
    return Error(ErrorCode::kInvalidArgument, "a group's name has no control characters");
  return {};
}

}  // namespace millrace
