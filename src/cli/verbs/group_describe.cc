#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/group_table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  std::string group = session.arguments.Positional("GROUP");
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<GroupPosition> positions, FindGroup(*engine, group));
  MR_TRY(CloseEngine(*engine));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.group.v1").Member("group", group);
    json.Member("lag", LagOf(positions)).Key("positions").BeginArray();
    for (const GroupPosition& position : positions) WriteGroupPosition(json, position);
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"TOPIC", "PARTITION", "POSITION", "LAG"});
  for (const GroupPosition& position : positions) {
    table.Add({Cell::Text(position.partition.topic), Cell::Number(position.partition.partition.value()),
               Cell::Number(position.position.value()), Cell::Count(position.lag)});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command GroupDescribeCommand() {
  return {
      .words = "group describe",
      .summary = "Tell where a group is in each partition: topic, partition, position, lag",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"GROUP", "its name"}},
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .run = Run,
  };
}

}  // namespace millrace
