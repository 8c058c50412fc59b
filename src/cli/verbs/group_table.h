// A group's positions, as `group describe` and `group lag` show them.
#pragma once

#include <string_view>
#include <vector>

#include "client/log.h"
#include "millrace/description.h"
#include "millrace/result.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {

/// kNotFound for a group that no consumer ever committed for.
Result<std::vector<GroupPosition>> FindGroup(Log& log, std::string_view group);

/// Members topic, partition, position, lag.
void WriteGroupPosition(JsonWriter& json, const GroupPosition& position);
std::uint64_t LagOf(const std::vector<GroupPosition>& positions);

}  // namespace millrace
