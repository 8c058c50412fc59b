// An open POSIX file: loops over short counts and EINTR, so that callers see whole transfers or an error.
#pragma once

#include <filesystem>
#include <memory>

#include "env/io_plans.h"
#include "millrace/file_system.h"

namespace millrace {

/// Takes over `descriptor`. `path` is for error texts; `plans` moves what has several ranges.
std::unique_ptr<File> AdoptPosixFile(int descriptor, std::filesystem::path path, std::shared_ptr<IoPlans> plans);

}  // namespace millrace
