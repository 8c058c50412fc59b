// A whole file in memory, for the callers that look at files directly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace {

/// kNotFound; kInvalidArgument (a directory); kUnavailable (permission, I/O).
Result<SharedBytes> ReadWholeFile(const std::filesystem::path& path);

/// At most `count` bytes from the front, to tell what a file is.
Result<SharedBytes> ReadFileFront(const std::filesystem::path& path, std::uint64_t count);

}  // namespace millrace
