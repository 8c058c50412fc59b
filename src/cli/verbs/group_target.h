// Where `group seek` moves a group: a place in the log, so many records on or back, or what a file says.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/parse/offset_choice.h"
#include "client/log.h"
#include "millrace/result.h"

namespace millrace {

/// From where the group is.
struct Shift {
  std::int64_t by = 0;
};
using ListedPositions = std::map<TopicPartition, Offset>;
using GroupTarget = std::variant<OffsetChoice, Shift, ListedPositions>;

/// "earliest", "latest", "4711", "@TIME", "+100", "-100", else the name of a file with lines of topic, partition and
/// position, parted by tabs or commas, as `group describe` prints them; what stands behind is not looked at.
/// Errors: kInvalidArgument (a line that is none of these, the second of one partition), kNotFound (no such file).
Result<GroupTarget> ParseGroupTarget(std::string_view text);

struct GroupMove {
  TopicPartition partition;
  Offset to;
};

/// What moves, in the order of `partitions`. A shift ends at the bounds of the log; partitions of which a file says
/// nothing stay. Errors: kOutOfRange with bounds, kNotFound (nothing moves, or the group is nowhere to be shifted
/// from).
Result<std::vector<GroupMove>> MovesOf(Log& log, std::string_view group, const std::vector<TopicPartition>& partitions,
                                       const GroupTarget& target);

}  // namespace millrace
