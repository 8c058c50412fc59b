// Rot under a whole engine: whose loss it is, and what outlives recycling.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

void RunEngineRot(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
