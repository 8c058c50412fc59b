#pragma once

#include <cstdint>

#include "report.h"

namespace millrace::sim {

/// Clients that send many requests at once, in pieces, and read when they like: every reply is the request's own, in
/// the order of the requests. Frames and batches that lie take no more memory than they may.
void RunWire(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
