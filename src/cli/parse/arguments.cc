#include "cli/parse/arguments.h"

#include <fmt/format.h>

#include "base/try.h"
#include "text/units.h"

namespace millrace {
namespace {

Error WrongValue(std::string_view flag, std::string_view value, std::string_view wanted) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} takes {}, not \"{}\"", flag, wanted, value));
}

}  // namespace

std::optional<std::string> Arguments::Text(std::string_view flag) const {
  auto found = flags_.find(flag);
  if (found == flags_.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Arguments::All(std::string_view flag) const {
  auto found = flags_.find(flag);
  return found == flags_.end() ? std::vector<std::string>{} : found->second;
}

std::string Arguments::Positional(std::string_view name) const {
  auto found = positionals_.find(name);
  return found == positionals_.end() ? std::string() : found->second.front();
}

std::vector<std::string> Arguments::Positionals(std::string_view name) const {
  auto found = positionals_.find(name);
  return found == positionals_.end() ? std::vector<std::string>{} : found->second;
}

Result<std::optional<std::int64_t>> Arguments::Integer(std::string_view flag, Bounds bounds) const {
  auto text = Text(flag);
  if (!text) return std::optional<std::int64_t>();
  auto value = ParseInteger(*text);
  if (value && *value >= bounds.min && *value <= bounds.max) return value;
  if (bounds.max == INT64_MAX) return WrongValue(flag, *text, fmt::format("a whole number from {} on", bounds.min));
  return WrongValue(flag, *text, fmt::format("a whole number from {} to {}", bounds.min, bounds.max));
}

Result<std::optional<std::uint64_t>> Arguments::Size(std::string_view flag) const {
  auto text = Text(flag);
  if (!text) return std::optional<std::uint64_t>();
  auto value = ParseSize(*text);
  if (!value) return WrongValue(flag, *text, "a size such as 4096 or 64MiB");
  return value;
}

Result<std::optional<std::chrono::milliseconds>> Arguments::Duration(std::string_view flag) const {
  auto text = Text(flag);
  if (!text) return std::optional<std::chrono::milliseconds>();
  auto value = ParseDuration(*text);
  if (!value) return WrongValue(flag, *text, "a duration such as 500ms, 5s or 2h");
  return value;
}

}  // namespace millrace
