#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine->DescribeTopics());
  MR_TRY(CloseEngine(*engine));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.topics.v1").Key("topics").BeginArray();
    for (const TopicDescription& topic : topics) WriteTopic(json, topic);
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"TOPIC", "PARTITIONS", "RECORDS", "LOCAL", "OBJECTS"});
  for (const TopicDescription& topic : topics) {
    TopicTotals totals = TotalsOf(topic);
    table.Add({Cell::Text(topic.name), Cell::Count(topic.partitions.size()), Cell::Count(totals.records),
               Cell::Bytes(totals.bytes_local), Cell::Bytes(totals.bytes_object)});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command TopicListCommand() {
  return {
      .words = "topic ls",
      .summary = "List the topics: name, partitions, offsets in use, bytes on this disk, bytes in the object store",
      .log_flags = LogFlags::kEngine,
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .examples = {"millrace topic ls --data-dir ./log"},
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
