// Base64 (RFC 4648, with padding), for bytes that stand where text is wanted.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millrace {

void AppendBase64(std::string& out, std::string_view bytes);
[[nodiscard]] std::string ToBase64(std::span<const std::byte> bytes);

/// None if `text` is not base64 with its padding.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace millrace
