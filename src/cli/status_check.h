// What `status --check` looks for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "millrace/engine.h"

namespace millrace {

struct StatusFinding {
  bool damage = false;
  std::string text;
};

/// Offsets that are not in their promised order; bytes found damaged; a hot tier so full of what is not uploaded that
/// appends will soon wait (half of `wal_bytes_max`).
std::vector<StatusFinding> CheckStatus(std::span<const TopicDescription> topics, const EngineStats& stats,
                                       std::uint64_t wal_bytes_max);

}  // namespace millrace
