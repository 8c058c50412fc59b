#include "cli/verbs/version.h"

#include <fmt/format.h>

#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "text/json_writer.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  if (!session.arguments.Has("--json")) {
    session.out.Write(fmt::format("millrace {}\n", ProgramVersion()));
    return ExitCode::kOk;
  }
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.version.v1").Member("version", ProgramVersion());
  json.Member("compiler", __VERSION__).EndObject();
  session.out.Write(text + '\n');
  return ExitCode::kOk;
}

}  // namespace

std::string_view ProgramVersion() { return MILLRACE_VERSION; }

Command VersionCommand() {
  return {.words = "version",
          .summary = "Tell the version of this program",
          .flags = {{"--json", "", "as one JSON document"}},
          .run = Run};
}

}  // namespace millrace
