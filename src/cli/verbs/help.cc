#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/command_table.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/help_text.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  std::vector<std::string> words = session.arguments.Positionals("VERB");
  MR_ASSIGN_OR_RETURN(Choice choice, ChooseCommand(words));
  if (choice.command != nullptr) {
    session.out.Write(CommandHelp(*choice.command));
  } else {
    session.out.Write(choice.group.empty() ? ProgramHelp() : GroupHelp(choice.group));
  }
  return ExitCode::kOk;
}

}  // namespace

Command HelpCommand() {
  return {.words = "help",
          .summary = "Tell what a verb does and takes",
          .positionals = {{"VERB", "the verb, such as topic create", Presence::kOptional, Repeat::kMany}},
          .examples = {"millrace help consume"},
          .run = Run};
}

}  // namespace millrace
