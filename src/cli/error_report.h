// How a failure is told: one paragraph, or one JSON object, on standard error.
#pragma once

#include <string>

#include "millrace/result.h"

namespace millrace {

enum class ErrorForm { kText, kJson };

/// "millrace: what failed. What to do. [kCode]\n", or {"error":{...}} and a newline.
std::string ErrorReport(const Error& error, ErrorForm form);

}  // namespace millrace
