// On what a figure was taken: without it a figure says nothing.
#pragma once

#include <filesystem>
#include <string>

namespace millrace::bench {

struct Machine {
  std::string cpu, kernel, file_system, compiler, versions;
  unsigned cores = 0;
  double memory_gib = 0;

  [[nodiscard]] std::string ToText() const;
};

/// `directory`: where the data under test lies.
Machine DescribeMachine(const std::filesystem::path& directory);

}  // namespace millrace::bench
