// What a group may be called.
#pragma once

#include <string_view>

#include "millrace/result.h"

namespace millrace {

/// 1 to 249 bytes without control characters. kInvalidArgument.
Result<void> CheckGroupName(std::string_view group);

}  // namespace millrace
