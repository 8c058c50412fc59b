#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// Producers that number their batches and repeat what has no answer: nothing is lost, nothing twice, and each in
/// order.
void RunProducerWorld(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
