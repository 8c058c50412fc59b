// Row 24: the store alone gives back all that was acknowledged at `object`.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

void RunDiskLost(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
