// From words on a command line to Arguments, by the flags a Command declares.
#pragma once

#include <span>
#include <string>

#include "cli/parse/arguments.h"
#include "cli/parse/command.h"
#include "millrace/result.h"

namespace millrace {

/// `words` are those after the command's own. `--help` anywhere before `--` wins over everything that is missing.
/// Errors: kInvalidArgument (unknown flag, missing or wrong value, too few or too many arguments), with the nearest
/// name.
Result<Arguments> ParseArguments(const Command& command, std::span<const std::string> words);

}  // namespace millrace
