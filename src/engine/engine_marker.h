// The file that says whose directory this is, and in which version:
//
//   millrace 1
//   identity 0123456789abcdef0123456789abcdef
//   crc 89abcdef                                  CRC-32C of the lines above
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::uint32_t kDataVersion = 1;  // of the directory as a whole; files have their own

/// The identity; none: there is no such file. Errors: kUnsupported (a newer version wrote it, named), kCorruption.
Result<std::optional<std::string>> ReadEngineMarker(FileSystem& file_system, const std::filesystem::path& path);
/// Durable when this returns, whole or not at all.
Result<void> WriteEngineMarker(FileSystem& file_system, const std::filesystem::path& path, std::string_view identity);

}  // namespace millrace
