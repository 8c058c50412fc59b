// Row 19: the model of claims holds, and misses each of its guards.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// There is nothing to draw: every seed is the same.
void RunClaimModel(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
