// "Did you mean": the known name with the fewest changes.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace millrace {

/// None if nothing is near (more than a third of the letters differ).
std::optional<std::string_view> NearestName(std::string_view name, std::span<const std::string_view> known);

}  // namespace millrace
