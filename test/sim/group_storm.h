#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// Twenty members of one group join, leave, pause and crash, and the server is killed under them: one owner a partition
/// and generation, positions never go back, every join ends, nobody who keeps his word is unknown.
void RunGroupStorm(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
