#include "cli/verbs/group_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"

namespace millrace {

Result<std::vector<GroupPosition>> FindGroup(Log& log, std::string_view group) {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> groups, log.ListGroups());
  if (std::ranges::find(groups, group) == groups.end()) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no group {}", group),
                 "`millrace group ls` lists what there is.");
  }
  auto positions = log.DescribeGroup(group);
  // Its members have not committed anything yet.
  if (!positions && positions.error().code() == ErrorCode::kNotFound) return std::vector<GroupPosition>();
  return positions;
}

void WriteGroupPosition(JsonWriter& json, const GroupPosition& position) {
  json.BeginObject().Member("topic", position.partition.topic);
  json.Member("partition", position.partition.partition.value());
  json.Member("position", position.position.value()).Member("lag", position.lag).EndObject();
}

std::uint64_t LagOf(const std::vector<GroupPosition>& positions) {
  std::uint64_t lag = 0;
  for (const GroupPosition& position : positions) lag += position.lag;
  return lag;
}

}  // namespace millrace
