#include "cli/verbs/group_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/try.h"
#include "client/partition_name.h"
#include "text/units.h"

namespace millrace {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The first three fields; none: there are fewer.
std::optional<std::array<std::string_view, 3>> Fields(std::string_view line, char separator) {
  std::array<std::string_view, 3> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t end = line.find(separator);
    if (end == std::string_view::npos && i + 1 < fields.size()) return std::nullopt;
    fields[i] = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return fields;
}

Result<std::pair<TopicPartition, Offset>> ReadLine(std::string_view line) {
  const auto fields = Fields(line, line.find('\t') == std::string_view::npos ? ',' : '\t');
  const auto partition = fields ? ParseInteger((*fields)[1]) : std::nullopt;
  const auto position = fields ? ParseInteger((*fields)[2]) : std::nullopt;
  const bool good = partition && position && *partition >= 0 && *position >= 0 &&
                    *partition <= std::numeric_limits<std::int32_t>::max() && !(*fields)[0].empty();
  if (!good)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("\"{}\" is not a topic, a partition and a position", line.substr(0, 200)),
                 "Part them by tabs, as `millrace group describe GROUP` prints them, or by commas.");
  return std::pair(TopicPartition{std::string((*fields)[0]), PartitionId(static_cast<std::int32_t>(*partition))},
                   Offset(*position));
}

Result<ListedPositions> ReadFile(const std::string& name) {
  std::ifstream file(name);
  if (!file)
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("--to takes earliest, latest, an offset, @TIME, +N, -N or a file, and \"{}\" is none", name),
        "A time is like @2026-01-01T00:00Z, @now or @-5m; a file has lines of topic, partition and position.");
  ListedPositions listed;
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    const auto read = ReadLine(line);
    if (!read) return read.error().WithContext(fmt::format("{}, line {}", name, number));
    if (!listed.insert(*read).second)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{}, line {}: {} is there twice", name, number, PartitionName(read->first)));
  }
  if (file.bad()) return Error(ErrorCode::kInternal, fmt::format("cannot read {} to its end", name));
  return listed;
}

Result<Offset> Shifted(Log& log, std::string_view group, const std::vector<GroupPosition>& positions,
                       const TopicPartition& partition, std::int64_t by) {
  const auto found = std::ranges::find(positions, partition, &GroupPosition::partition);
  MR_ASSIGN_OR_RETURN(const OffsetBounds bounds, log.Bounds(partition));
  if (found == positions.end()) {
    // An empty partition of a topic that it reads is not told of.
    if (bounds.log_start == bounds.end) return bounds.end;
    return Error(ErrorCode::kNotFound,
                 fmt::format("group {} has no position in {} to go from", group, PartitionName(partition)),
                 "Give earliest, latest, an offset or @TIME.");
  }
  std::int64_t moved = 0;
  if (__builtin_add_overflow(found->position.value(), by, &moved))
    moved = by > 0 ? std::numeric_limits<std::int64_t>::max() : 0;
  return std::clamp(Offset(moved), bounds.log_start, bounds.end);
}

}  // namespace

Result<GroupTarget> ParseGroupTarget(std::string_view text) {
  const bool signs = text.starts_with('+') || text.starts_with('-');
  if (signs && IsDigits(text.substr(1))) {
    const auto by = ParseInteger(text.substr(1));
    if (!by) return Error(ErrorCode::kInvalidArgument, fmt::format("--to {}: that is too far", text));
    return GroupTarget(Shift{text.front() == '-' ? -*by : *by});
  }
  if (text == "earliest" || text == "latest" || text.starts_with('@') || IsDigits(text)) {
    MR_ASSIGN_OR_RETURN(OffsetChoice choice, ParseOffsetChoice("--to", text));
    return GroupTarget(choice);
  }
  MR_ASSIGN_OR_RETURN(ListedPositions listed, ReadFile(std::string(text)));
  return GroupTarget(std::move(listed));
}

Result<std::vector<GroupMove>> MovesOf(Log& log, std::string_view group, const std::vector<TopicPartition>& partitions,
                                       const GroupTarget& target) {
  const auto* listed = std::get_if<ListedPositions>(&target);
  const auto* shift = std::get_if<Shift>(&target);
  std::vector<GroupPosition> positions;
  if (shift != nullptr) {
    MR_ASSIGN_OR_RETURN(positions, log.DescribeGroup(group));
  }
  std::vector<GroupMove> moves;
  for (const TopicPartition& partition : partitions) {
    if (listed != nullptr && !listed->contains(partition)) continue;
    Offset to;
    if (listed != nullptr) {
      to = listed->at(partition);
    } else if (shift != nullptr) {
      MR_ASSIGN_OR_RETURN(to, Shifted(log, group, positions, partition, shift->by));
    } else {
      MR_ASSIGN_OR_RETURN(to, ResolveOffset(log, partition, std::get<OffsetChoice>(target)));
    }
    MR_TRY(CheckWithin(log, partition, to));
    moves.push_back({partition, to});
  }
  if (!moves.empty()) return moves;
  return Error(ErrorCode::kNotFound, "the file says nothing of these partitions, so nothing moves");
}

}  // namespace millrace
