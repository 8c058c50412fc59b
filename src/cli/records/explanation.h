// --explain: where the bytes came from.
#pragma once

#include <string>

#include "millrace/engine.h"

namespace millrace {

/// {"explain":{"bytes":{…},"requests":…,"shared":…,"wait_ms":…,"cost_usd":…,…,"ranges":[…]}} and a newline.
std::string ExplanationJson(const ReadExplanation& explanation);

}  // namespace millrace
