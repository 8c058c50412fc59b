// Percent-encoding as signatures want it: every byte outside [A-Za-z0-9-._~] as %XX in capitals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

enum class Slash { kEncode, kKeep };

[[nodiscard]] std::string UriEncode(std::string_view text, Slash slash = Slash::kEncode);
/// None: a % without two hexadecimal digits after it.
[[nodiscard]] std::optional<std::string> UriDecode(std::string_view text);

/// Names and values of a query, decoded; a name without = has an empty value. None: badly encoded.
using Query = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<Query> ParseQuery(std::string_view text);
/// "a=1&b=2", encoded, in the order of encoded names, then values. Empty for none.
[[nodiscard]] std::string FormatQuery(const Query& query);

}  // namespace millrace
