#include <string>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/store_choice.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const StoreReport& report) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.store_usage.v1").Member("identity", report.identity);
  json.Member("home", report.home).Member("generation", std::uint64_t{report.generation});
  json.Member("from_store_alone", report.from_store_alone).Key("topics").BeginArray();
  for (const TopicUse& topic : report.account.topics) {
    json.BeginObject().Member("name", topic.name).Member("objects", topic.objects).Member("bytes", topic.bytes);
    json.Member("segments", topic.segments).Member("records", topic.records).EndObject();
  }
  json.EndArray().Key("totals").BeginObject();
  for (std::size_t i = 0; i < kStoredKinds; ++i) {
    const auto kind = static_cast<StoredAs>(i);
    json.Key(NameOf(kind)).BeginObject().Member("objects", report.account.of(kind).objects);
    json.Member("bytes", report.account.of(kind).bytes).EndObject();
  }
  json.EndObject().Member("unused_bytes", report.account.unused_bytes).Member("snapshot_ms", report.snapshot_ms);
  json.Member("snapshot_objects", report.snapshot_objects).Member("behind_objects", report.behind_objects);
  json.Member("behind_bytes", report.behind_bytes).EndObject();
  session.out.Write(text + '\n');
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const StoreReport report, ReportChosenStore(session));
  if (session.arguments.Has("--json")) {
    PrintJson(session, report);
    return ExitCode::kOk;
  }
  NoteStore(session, report);
  Table table({"WHAT", "NAME", "OBJECTS", "BYTES", "RECORDS"});
  for (const TopicUse& topic : report.account.topics)
    table.Add({Cell::Text("topic"), Cell::Text(topic.name), Cell::Count(topic.objects), Cell::Bytes(topic.bytes),
               Cell::Count(topic.records)});
  for (std::size_t i = 0; i < kStoredKinds; ++i) {
    const auto kind = static_cast<StoredAs>(i);
    const StoredTotal& total = report.account.of(kind);
    if (total.objects > 0 || kind == StoredAs::kInUse)
      table.Add({Cell::Text(NameOf(kind)), Cell::Text("-"), Cell::Count(total.objects), Cell::Bytes(total.bytes),
                 Cell::Text("-")});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command StoreUsageCommand() {
  return {
      .words = "store usage",
      .summary = "Tell what takes room in an object store: by topic, and by what it is to the log",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"URL", "look at this store alone, whoever writes there: file:///PATH, s3://BUCKET/PREFIX",
                       Presence::kOptional}},
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .details =
          "Without URL: the home of the log in --data-dir, by its own rows, while no process has it open. With URL: by "
          "the newest snapshot and the objects behind it. Lists everything under the prefix, and changes nothing. "
          "Objects of several topics count for each of them. in_use: records lie in them; given_up: waiting for their "
          "deletion; under_way: attempts that are not decided; orphans: no row knows them; elsewhere: of processes "
          "before or after this one; other_logs: of other identities and name spaces; foreign: no keys of a log.",
      .examples = {"millrace store usage --data-dir ./log", "millrace store usage s3://logs/prod --json"},
      .run = Run,
  };
}

}  // namespace millrace
