// Bytes as hexadecimal digits, for identities, object keys and error texts.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Two lower-case digits a byte.
[[nodiscard]] std::string ToHex(std::span<const std::byte> bytes);
/// None: an odd number of characters, or one that is no hexadecimal digit.
[[nodiscard]] std::optional<std::vector<std::byte>> FromHex(std::string_view digits);

}  // namespace millrace
