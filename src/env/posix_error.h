// errno to Error: the code says what to do, the message names the call, the path and the system's words.
#pragma once

#include <filesystem>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

/// `call` is a verb ("open", "write"). "cannot open /d/x: No such file or directory (ENOENT)".
Error PosixError(int error_number, std::string_view call, const std::filesystem::path& path);

/// Whether it is PosixError of a system, or a process, that has no descriptor left.
bool LacksDescriptors(const Error& error);

/// Another process, or another opener in this one, holds the lock file `path`; `holder` is what it contains.
Error LockHeldError(const std::filesystem::path& path, std::string_view holder);

}  // namespace millrace
