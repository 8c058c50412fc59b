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
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const std::vector<LogTopic> topics, log->DescribeTopics());
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.topics.v1").Key("topics").BeginArray();
    for (const LogTopic& topic : topics) WriteTopic(json, topic);
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"TOPIC", "PARTITIONS", "RECORDS", "LOCAL", "OBJECTS"});
  for (const LogTopic& topic : topics) {
    const TopicTotals totals = TotalsOf(topic);
    const bool told = topic.detail == TopicDetail::kEngine;
    table.Add({Cell::Text(topic.name), Cell::Count(topic.partitions.size()), Cell::Count(totals.records),
               told ? Cell::Bytes(totals.bytes_local) : Cell::Text("-"),
               told ? Cell::Bytes(totals.bytes_object) : Cell::Text("-")});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command TopicListCommand() {
  return {
      .words = "topic ls",
      .summary = "List the topics: name, partitions, offsets in use, bytes on this disk, bytes in the object store",
      .log_flags = LogFlags::kLog,
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .details = "A server tells no bytes: they are - there, and absent from JSON.",
      .examples = {"millrace topic ls --data-dir ./log", "millrace topic ls --server localhost:9092"},
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
