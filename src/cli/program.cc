#include "cli/program.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "cli/error_report.h"
#include "cli/interrupt.h"
#include "cli/parse/argument_parser.h"
#include "cli/verbs/command_table.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/help_text.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

bool Contains(std::span<const std::string> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool UsesColor(const Arguments& arguments, const Output& err) {
  std::string when = arguments.Text("--color").value_or("auto");
  const char* no_color = std::getenv("NO_COLOR");
  bool wanted = no_color == nullptr || *no_color == '\0';
  return when == "always" || (when == "auto" && wanted && err.is_terminal());
}

/// The program's name in red, when that helps.
std::string Painted(std::string report, bool color) {
  constexpr std::string_view kName = "millrace:";
  if (!color || !report.starts_with(kName)) return report;
  return "\x1b[31m" + std::string(kName) + "\x1b[0m" + report.substr(kName.size());
}

/// `color` becomes known once the flags are.
Result<ExitCode> RunCommand(const Command& command, std::span<const std::string> words, Output& out, Output& err,
                            bool& color) {
  auto arguments = ParseArguments(command, words);
  if (!arguments) return arguments.error();
  color = UsesColor(*arguments, err);
  if (arguments->Has("--help")) {
    out.Write(CommandHelp(command));
    return ExitCode::kOk;
  }
  Interrupt interrupt;
  out.ObeyStop(interrupt.token());
  // Every wait of this thread for a store or a metadata store ends with the stop.
  const RequestScope scope({.stop = interrupt.token()});
  Session session{*arguments, out, err, interrupt};
  Result<ExitCode> result = command.run(session);
  if (result || !interrupt.Raised()) return result;
  if (result.error().code() != ErrorCode::kClosed) err.Write(ErrorReport(result.error(), ErrorForm::kText));
  return ExitCode::kInterrupted;
}

Result<ExitCode> Run(std::span<const std::string> words, Output& out, Output& err, bool& color) {
  auto choice = ChooseCommand(words);
  if (!choice) return choice.error();
  if (choice->command != nullptr) return RunCommand(*choice->command, choice->rest, out, err, color);
  if (std::erase(choice->rest, "--version") > 0) return RunCommand(VersionCommand(), choice->rest, out, err, color);
  out.Write(choice->group.empty() ? ProgramHelp() : GroupHelp(choice->group));
  return ExitCode::kOk;
}

}  // namespace

ExitCode RunProgram(std::span<const std::string> words, Output& out, Output& err) {
  bool color = false;
  Result<ExitCode> result = Run(words, out, err, color);
  auto finished = out.Finish();
  if (result && !finished) result = finished.error();
  if (result) {
    (void)err.Finish();
    return *result;
  }
  ErrorForm form = Contains(words, "--json") ? ErrorForm::kJson : ErrorForm::kText;
  err.Write(Painted(ErrorReport(result.error(), form), color));
  (void)err.Finish();
  return ExitCodeOf(result.error().code());
}

}  // namespace millrace
