// Which row must catch which planted bug, by which properties.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/bugs.h"

namespace millrace::sim {

struct BugCase {
  Bug bug = Bug::kNone;
  std::string_view name;
  std::vector<std::string_view> rows;        // tried in this order
  std::vector<std::string_view> properties;  // any of these is the mistake seen
};

std::span<const BugCase> BugTable();

}  // namespace millrace::sim
