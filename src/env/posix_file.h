// An open POSIX file: loops over short counts and EINTR, so that callers see whole transfers or an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "env/io_plans.h"
#include "millrace/file_system.h"

namespace millrace {

/// Takes over `descriptor`. `path` is for error texts; `plans` moves what has several ranges.
std::unique_ptr<File> AdoptPosixFile(int descriptor, std::filesystem::path path, std::shared_ptr<IoPlans> plans);

/// Whether a store into a mapping may need new space, whatever was reserved: file systems that copy on write answer it
/// with SIGBUS when they are full. By `f_type` of statfs.
bool StoresNeedSpace(std::uint64_t file_system_type);

}  // namespace millrace
