// An open POSIX file: loops over short counts and EINTR, so that callers see whole transfers or an error.
#pragma once

#include <filesystem>
#include <memory>

#include "millrace/file_system.h"

namespace millrace {

/// Takes over `descriptor`. `path` is for error texts.
std::unique_ptr<File> AdoptPosixFile(int descriptor, std::filesystem::path path);

}  // namespace millrace
