// Every setting against its bounds, once, before anything is touched.
#pragma once

#include <string_view>

#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// kInvalidArgument names the setting, its bounds and its value.
Result<void> CheckEngineOptions(const EngineOptions& options);
/// kUnsupported for Cleanup::kCompact.
Result<void> CheckTopicOptions(const TopicOptions& options);
/// `[a-zA-Z0-9._-]{1,249}` and not `.` or `..`.
Result<void> CheckTopicName(std::string_view name);

}  // namespace millrace
