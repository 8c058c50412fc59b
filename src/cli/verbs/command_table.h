// All commands of the program, in the order help shows them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/parse/command.h"
#include "millrace/result.h"

namespace millrace {

std::span<const Command> Commands();
/// "topic" for "topic create"; "" for a verb that stands alone.
std::string_view GroupOf(const Command& command);
/// What a group is about: "Topics and their settings" for "topic". Precondition: there is such a group.
std::string_view GroupSummary(std::string_view group);

/// What the first words of a command line mean.
struct Choice {
  const Command* command = nullptr;  // null: the words name a group, or there are none
  std::string_view group;
  std::vector<std::string> rest;  // the words after the command's own; flags that stood before them included
};

/// kInvalidArgument for an unknown verb, with the nearest one.
Result<Choice> ChooseCommand(std::span<const std::string> words);

}  // namespace millrace
