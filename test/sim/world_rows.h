// The row that needs a whole engine.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// Row 2, one node: a seeded life of an engine under faults and crashes, then liveness.
void RunWorld(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
