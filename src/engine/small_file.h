// A small text file that is read whole and replaced whole: the marker of a data directory, the time kept in it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

/// Its first `bytes_max` bytes; none: there is no such file.
Result<std::optional<std::string>> ReadSmallFile(FileSystem& file_system, const std::filesystem::path& path,
                                                 std::size_t bytes_max);

/// After any crash the file holds what it held, or `text`, which is on the disk when this returns. Writes `path`.new.
Result<void> ReplaceSmallFile(FileSystem& file_system, const std::filesystem::path& path, std::string_view text);

}  // namespace millrace
