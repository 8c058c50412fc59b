// What the search for credentials reads of the machine, apart so that a test has a machine of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "millrace/result.h"

namespace millrace {

/// Functions are safe from any thread.
struct AwsSurroundings {
  /// A variable of the environment; none if it is not set or empty.
  std::function<std::optional<std::string>(const char* name)> variable;
  /// A small text file, 1 MiB at most. Errors: kNotFound, kUnavailable.
  std::function<Result<std::string>(const std::filesystem::path& path)> file;

  static AwsSurroundings OfProcess();
};

}  // namespace millrace
