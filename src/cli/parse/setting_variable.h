// The variable of the environment that belongs to a setting.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

/// "engine.wal_bytes_max" is MILLRACE_ENGINE__WAL_BYTES_MAX.
inline std::string SettingVariable(std::string_view name) {
  std::string variable = "MILLRACE_";
  for (const char c : name) {
    if (c == '.') {
      variable += "__";
    } else {
      variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
  }
  return variable;
}

}  // namespace millrace
