#include "http/content_range.h"

#include <charconv>
#include <system_error>

namespace millrace {

std::optional<std::uint64_t> ParseCount(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failed != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return count;
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto first = ParseCount(text.substr(0, dash)), last = ParseCount(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  const std::string_view total = text.substr(slash + 1);
  ContentRange range{*first, *last, std::nullopt};
  if (total == "*") return range;
  range.total = ParseCount(total);
  if (!range.total || *range.total <= *last) return std::nullopt;
  return range;
}

}  // namespace millrace
