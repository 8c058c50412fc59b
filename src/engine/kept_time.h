// The file that carries trusted time from one process to the next:
//
//   file = "millrace time\n" milliseconds since 1970, decimal "\n" "crc " CRC32C of all before, 8 digits "\n"
//
// Replaced as a whole, by a rename.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

/// None: there is no such file. kCorruption, or what the file system says: there is one and it cannot be read.
Result<std::optional<std::int64_t>> ReadKeptTime(FileSystem& file_system, const std::filesystem::path& path);
Result<void> WriteKeptTime(FileSystem& file_system, const std::filesystem::path& path, std::int64_t time_ms);

}  // namespace millrace
