// Row 8: cursors.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// A seeded life of an engine and its cursors.
void RunCursorWorld(std::uint64_t seed, Report& report);
/// The position log alone, many callers at once, and a crash at every call of the disk.
void RunPositionLog(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
