// Base64 (RFC 4648, with padding), for records that are not text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

void AppendBase64(std::string& out, std::string_view bytes);

/// None if `text` is not base64 with its padding.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace millrace
