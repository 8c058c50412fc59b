#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<std::string> groups, log->ListGroups());
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.groups.v1").Key("groups").BeginArray();
    for (const std::string& group : groups) json.String(group);
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"GROUP"});
  for (const std::string& group : groups) table.Add({Cell::Text(group)});
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command GroupListCommand() {
  return {
      .words = "group ls",
      .summary = "List the groups that have positions",
      .log_flags = LogFlags::kLog,
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
