// The rows that need a WAL alone.
#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// Row 1: power is lost at every boundary between two operations of a seeded run; every surviving subset tried opens,
/// and shows all that was acknowledged, nothing invented, no hole and no change of order.
void RunWalCrashStates(std::uint64_t seed, Report& report);
/// Row 10: bytes flipped, blocks zeroed or unreadable, files gone: right frames or reported damage.
void RunWalRot(std::uint64_t seed, Report& report);
/// Row 11: the n-th call fails, n = 1, 2, … until a clean run.
void RunWalNthFailure(std::uint64_t seed, Report& report);
/// Row 12: each sync in turn fails, with the pages left clean or dirty: final, and nothing false is acknowledged.
void RunWalFailedSync(std::uint64_t seed, Report& report);
/// Row 13: the disk fills up at any call and gets room again: nothing acknowledged is lost, appends resume.
void RunWalFullDisk(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
