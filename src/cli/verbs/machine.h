// What a figure was measured on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace millrace {

struct Machine {
  std::string cpu, kernel, file_system;
  unsigned cores = 0;
  std::uint64_t memory_bytes = 0;
};

/// This one; `directory` says which file system.
Machine DescribeMachine(const std::filesystem::path& directory);

}  // namespace millrace
