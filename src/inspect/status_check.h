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
  bool unreachable = false;  // cannot be had for now, or by this user: no damage, but the operator has to look
};

/// Offsets that are not in their promised order; bytes found damaged; a hot tier so full of what is not uploaded that
/// appends will soon wait (half of `wal_bytes_max`).
/// Also what failed in the background and was not mended since, and what recovery found.
std::vector<StatusFinding> CheckStatus(std::span<const TopicDescription> topics, const EngineStats& stats,
                                       std::uint64_t wal_bytes_max);

/// Asks the object store for what the log says is there, or, without history, whether it answers at all: a few bytes
/// of the newest segment of each topic, within ten seconds. Nothing is asked of a directory without history.
std::vector<StatusFinding> ProbeHistory(Engine& engine, std::span<const TopicDescription> topics,
                                        const EngineOptions& options);

/// "cannot put ab/01: … (12 times since 2026-01-01T00:00:00.000Z)"
std::string FailureInWords(const BackgroundFailure& failure);

/// "offsets [5, 9): bytes [0, 80) of wal/00000001.wal are damaged", or that they were lost before they were uploaded.
std::string DamageInWords(const DamagedRange& range);

}  // namespace millrace
