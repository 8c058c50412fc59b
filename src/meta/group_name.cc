#include "meta/group_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {
namespace {

constexpr std::size_t kGroupNameBytesMax = 249;

}  // namespace

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
