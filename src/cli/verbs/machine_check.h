// What `doctor` looks for on this machine: what a sync costs, how much room there is, how many files may be open.
#pragma once

#include <filesystem>
#include <vector>

#include "store/store_probe.h"

namespace millrace {

/// Writes and syncs a file of 4 KiB a few times in `directory`, or in the nearest folder above it that exists, and
/// removes it.
std::vector<Finding> CheckMachine(const std::filesystem::path& directory);

}  // namespace millrace
