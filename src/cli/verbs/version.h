// What this program is.
#pragma once

#include <string_view>

namespace millrace {

/// "0.1.0"
std::string_view ProgramVersion();

}  // namespace millrace
