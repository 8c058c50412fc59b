#include <fmt/format.h>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/data_location.h"
#include "cli/status_check.h"
#include "cli/table.h"
#include "cli/topic_json.h"
#include "cli/version.h"

namespace millrace {
namespace {

struct Status {
  EngineOptions options;
  std::vector<TopicDescription> topics;
  EngineStats stats;
  std::vector<StatusFinding> findings;
};

void PrintJson(Session& session, const Status& status) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.status.v1").Member("version", ProgramVersion());
  json.Member("data_dir", status.options.data_dir.string()).Member("name_space", status.options.name_space);
  json.Member("object_store", status.options.object_store).Member("metadata_store", status.options.metadata_store);
  json.Member("lock", "held by this process").Member("io_path", status.stats.io_path);
  json.Member("upload_pending_bytes", status.stats.upload_pending_bytes);
  json.Member("corruptions", status.stats.corruptions).Key("topics").BeginArray();
  for (const TopicDescription& topic : status.topics) WriteTopic(json, topic);
  json.EndArray().Key("findings").BeginArray();
  for (const StatusFinding& finding : status.findings) {
    json.BeginObject().Member("damage", finding.damage).Member("text", finding.text).EndObject();
  }
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

void PrintTables(Session& session, const Status& status) {
  Table facts({"", ""});
  facts.Add({Cell::Text("version"), Cell::Text(ProgramVersion())});
  facts.Add({Cell::Text("data_dir"), Cell::Text(status.options.data_dir.string())});
  facts.Add({Cell::Text("object_store"), Cell::Text(status.options.object_store)});
  facts.Add({Cell::Text("metadata_store"), Cell::Text(status.options.metadata_store)});
  facts.Add({Cell::Text("lock"), Cell::Text("held by this process")});
  facts.Add({Cell::Text("io_path"), Cell::Text(status.stats.io_path)});
  facts.Add({Cell::Text("topics"), Cell::Count(status.topics.size())});
  facts.Add({Cell::Text("upload_pending_bytes"), Cell::Bytes(status.stats.upload_pending_bytes)});
  facts.Print(session.out);
  Table offsets({"PARTITION", "LOG START", "HOT START", "TIERED END", "DURABLE END", "LOG END", "NOT UPLOADED"});
  for (const TopicDescription& topic : status.topics) {
    for (const PartitionDescription& partition : topic.partitions) {
      const PartitionOffsets& at = partition.offsets;
      offsets.Add({Cell::Text(fmt::format("{}/{}", topic.name, partition.partition.value())),
                   Cell::Number(at.log_start.value()), Cell::Number(at.hot_start.value()),
                   Cell::Number(at.tiered_end.value()), Cell::Number(at.durable_end.value()),
                   Cell::Number(at.log_end.value()),
                   Cell::Count(static_cast<std::uint64_t>(at.log_end - at.tiered_end))});
    }
  }
  if (!status.topics.empty()) offsets.Print(session.out);
}

ExitCode CodeOf(const std::vector<StatusFinding>& findings) {
  ExitCode code = ExitCode::kOk;
  for (const StatusFinding& finding : findings) {
    if (finding.damage) return ExitCode::kDamaged;
    code = ExitCode::kDifferent;
  }
  return code;
}

Result<ExitCode> Run(Session& session) {
  Status status;
  MR_ASSIGN_OR_RETURN(status.options, LocateEngine(session.arguments, ProcessEnvironment()));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(status.options, Creation::kNever));
  MR_ASSIGN_OR_RETURN(status.topics, engine->DescribeTopics());
  status.stats = engine->Stats();
  MR_TRY(engine->Close());
  bool check = session.arguments.Has("--check");
  if (check) status.findings = CheckStatus(status.topics, status.stats, status.options.wal_bytes_max);
  if (session.arguments.Has("--json")) {
    PrintJson(session, status);
  } else if (!check) {
    PrintTables(session, status);
  } else {
    for (const StatusFinding& finding : status.findings) session.out.Write(finding.text + '\n');
    session.Note(status.findings.empty() ? std::string("all is well")
                                         : fmt::format("{} findings", status.findings.size()));
  }
  return CodeOf(status.findings);
}

}  // namespace

Command StatusCommand() {
  return {
      .words = "status",
      .summary = "Tell how a log is: offsets, what waits for upload, lock, stores, version",
      .place = Place::kEngine,
      .flags =
          {
              {"--check", "", "look for what is wrong; exit 8 if something is, 9 if it is damage"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details = "A log that another process holds cannot be asked: exit 6, naming that process.",
      .examples = {"millrace status --data-dir ./log", "millrace status --check --data-dir ./log || mail admin"},
      .run = Run,
  };
}

}  // namespace millrace
