// The TOML file: settings by name, each with the line it stands on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "millrace/result.h"

namespace millrace {

struct FileSetting {
  std::string name;   // "engine.data_dir"
  std::string value;  // as --set would have it
  std::string place;  // "/etc/millrace/millrace.toml:3:1"
};

/// Errors: kNotFound, kPermissionDenied; kInvalidArgument with line and column for what is no TOML, or a value that is
/// neither text, number nor true or false.
Result<std::vector<FileSetting>> ReadConfigurationFile(const std::filesystem::path& path);

}  // namespace millrace
