#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/completion_script.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  std::string shell = session.arguments.Positional("SHELL");
  if (shell == "bash") {
    session.out.Write(BashCompletion());
  } else if (shell == "zsh") {
    session.out.Write(ZshCompletion());
  } else if (shell == "fish") {
    session.out.Write(FishCompletion());
  } else {
    return Error(ErrorCode::kInvalidArgument, "completion is there for bash, zsh and fish, not for \"" + shell + "\"");
  }
  return ExitCode::kOk;
}

}  // namespace

Command CompletionCommand() {
  return {
      .words = "completion",
      .summary = "Print a completion script for a shell",
      .positionals = {{"SHELL", "bash, zsh or fish"}},
      .examples = {"source <(millrace completion bash)"},
      .run = Run,
  };
}

}  // namespace millrace
