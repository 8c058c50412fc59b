// What `--help` prints, made from the same table that parsing and completion use.
#pragma once

#include <string>

#include "cli/parse/command.h"

namespace millrace {

/// Of the whole program: begins with three examples.
std::string ProgramHelp();
/// Of a verb with verbs below it: "topic". Precondition: there is one.
std::string GroupHelp(std::string_view group);
std::string CommandHelp(const Command& command);

}  // namespace millrace
