#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"
#include "millrace/cursor.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const auto only, session.arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, session.arguments.Positional("TOPIC")));
  MR_TRY(PartitionsOf(topic, only));
  MR_ASSIGN_OR_RETURN(std::vector<CursorDescription> cursors, engine->ListCursors(topic.name));
  MR_TRY(CloseEngine(*engine));
  if (only)
    std::erase_if(cursors,
                  [&](const CursorDescription& cursor) { return cursor.partition.partition.value() != *only; });
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.cursors.v1").Member("topic", topic.name).Key("cursors").BeginArray();
    for (const CursorDescription& cursor : cursors) {
      json.BeginObject().Member("partition", cursor.partition.partition.value()).Member("name", cursor.name);
      json.Member("position", cursor.position.value()).Member("unread", cursor.unread).EndObject();
    }
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"PARTITION", "CURSOR", "POSITION", "UNREAD"});
  for (const CursorDescription& cursor : cursors) {
    table.Add({Cell::Number(cursor.partition.partition.value()), Cell::Text(cursor.name),
               Cell::Number(cursor.position.value()), Cell::Count(cursor.unread)});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command CursorListCommand() {
  return {
      .words = "cursor ls",
      .summary = "List the cursors of a topic, and where they stand",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "the topic"}},
      .flags =
          {
              {"-p,--partition", "N", "of this partition only"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
