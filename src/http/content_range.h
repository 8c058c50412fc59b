// Numbers in the headers of an answer: how long a body is, and which part of the whole it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

/// Decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> ParseCount(std::string_view text);

/// "bytes 0-99/1234" or "bytes 0-99/*".
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> total;
};
[[nodiscard]] std::optional<ContentRange> ParseContentRange(std::string_view text);

}  // namespace millrace
