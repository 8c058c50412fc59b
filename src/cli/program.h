// The whole program without its process: words in, output and an exit code out.
#pragma once

#include <span>
#include <string>

#include "cli/exit_code.h"
#include "cli/output.h"

namespace millrace {

ExitCode RunProgram(std::span<const std::string> words, Output& out, Output& err);

}  // namespace millrace
