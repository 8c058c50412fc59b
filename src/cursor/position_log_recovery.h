// What the position log's files say after whatever happened to them. The decision table is in
// docs/format/position-log.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "cursor/position_table.h"
#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

struct RecoveredPositions {
  PositionTable table;
  std::uint64_t generation = 0;       // the highest ever used; 0: none
  std::optional<std::size_t> newest;  // which file says so
  std::array<bool, 2> present{};      // which files there are
};

/// Reads, removes files that were never finished, and writes the last frame once more. Errors: kCorruption with
/// damage(), kUnsupported, kUnavailable. Memory: the two files.
Result<RecoveredPositions> RecoverPositions(FileSystem& file_system, const std::filesystem::path& directory);

}  // namespace millrace
