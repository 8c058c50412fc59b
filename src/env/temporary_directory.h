// A directory of its own for a test or a measurement, while it runs.
#pragma once

#include <filesystem>

#include "millrace/result.h"

namespace millrace {

/// Empty at first; it and all that lies in it are gone with its owner. Not thread-safe.
class TemporaryDirectory {
 public:
  /// Below `parent`, which is made if need be. kUnavailable if it cannot be.
  static Result<TemporaryDirectory> In(const std::filesystem::path& parent);
  /// Below the system's temporary directory. Ends the program if it cannot be: for tests and benchmarks.
  TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;  // empty: another object has it now
};

}  // namespace millrace
