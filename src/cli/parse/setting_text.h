// What the settings of the engine and those of the server read alike.
#pragma once

#include <optional>
#include <string_view>

namespace millrace {

/// Sets `field` if the text had a value; whether it had.
template <class T, class U>
bool Take(T& field, const std::optional<U>& value) {
  if (value) field = *value;
  return value.has_value();
}

/// "true" or "false", and nothing else.
inline std::optional<bool> ParseBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

}  // namespace millrace
