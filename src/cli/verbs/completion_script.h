// Completion for shells, made from the table of commands.
#pragma once

#include <string>

namespace millrace {

std::string BashCompletion();
std::string ZshCompletion();
std::string FishCompletion();

}  // namespace millrace
