#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/group_table.h"

namespace millrace {
namespace {

struct GroupLag {
  std::string group;
  std::vector<GroupPosition> positions;
};

Result<std::vector<GroupLag>> Lags(Log& log, const std::string& only) {
  std::vector<GroupLag> lags;
  std::vector<std::string> groups{only};
  if (only.empty()) {
    MR_ASSIGN_OR_RETURN(groups, log.ListGroups());
  }
  for (const std::string& group : groups) {
    MR_ASSIGN_OR_RETURN(std::vector<GroupPosition> positions, FindGroup(log, group));
    lags.push_back({group, std::move(positions)});
  }
  return lags;
}

std::string Document(const std::vector<GroupLag>& lags) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.lag.v1").Key("groups").BeginArray();
  for (const GroupLag& lag : lags) {
    json.BeginObject().Member("group", lag.group).Member("lag", LagOf(lag.positions)).Key("positions").BeginArray();
    for (const GroupPosition& position : lag.positions) WriteGroupPosition(json, position);
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return text + '\n';
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<GroupLag> lags, Lags(*log, session.arguments.Positional("GROUP")));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  if (session.arguments.Has("--json")) {
    session.out.Write(Document(lags));
    return ExitCode::kOk;
  }
  Table table({"GROUP", "LAG"});
  for (const GroupLag& lag : lags) table.Add({Cell::Text(lag.group), Cell::Count(LagOf(lag.positions))});
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command GroupLagCommand() {
  return {
      .words = "group lag",
      .summary = "Tell how many records each group has not read yet",
      .log_flags = LogFlags::kLog,
      .positionals = {{"GROUP", "only this one", Presence::kOptional}},
      .flags = {{"--json", "", "as one JSON document, with each position; errors are JSON too"}},
      .run = Run,
  };
}

}  // namespace millrace
