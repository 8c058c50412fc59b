#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "cli/verbs/version.h"
#include "inspect/status_check.h"
#include "text/table.h"
#include "text/units.h"

namespace millrace {
namespace {

struct Status {
  EngineOptions options;
  std::vector<TopicDescription> topics;
  std::size_t groups = 0;  // that have positions
  EngineStats stats;
  std::vector<StatusFinding> findings;
};

std::string_view LockInWords(const EngineStats& stats) {
  if (stats.follow) return "none: read from the object store alone";
  return stats.read_only ? "shared by readers" : "held by this process";
}

void PrintJson(Session& session, const Status& status) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.status.v1").Member("version", ProgramVersion());
  json.Member("data_dir", status.options.data_dir.string()).Member("name_space", status.options.name_space);
  json.Member("object_store", status.options.object_store).Member("metadata_store", status.options.metadata_store);
  json.Member("lock", LockInWords(status.stats)).Member("io_path", status.stats.io_path);
  json.Member("upload_pending_bytes", status.stats.upload_pending_bytes);
  json.Member("wal_index_bytes", status.stats.wal_index_bytes);
  json.Member("producers", status.stats.producers).Member("groups", static_cast<std::uint64_t>(status.groups));
  WriteFailure(json, "upload_failure", status.stats.upload_failure);
  WriteFailure(json, "upkeep_failure", status.stats.upkeep_failure);
  WriteFailure(json, "cache_failure", status.stats.cache_failure);
  json.Member("damaged_partitions", status.stats.damaged_partitions);
  json.Member("broken_partitions", status.stats.broken_partitions);
  json.Member("positions_corrected", status.stats.positions_corrected);
  json.Member("clock_doubted", status.stats.clock_doubted).Member("undeletable_objects", status.stats.undeletable);
  json.Member("undeletable_since_ms", status.stats.undeletable_since_ms);
  json.Member("undeletable_why", status.stats.undeletable_why);
  json.Key("fenced");
  status.stats.fenced ? json.String(status.stats.fenced->message()) : json.Null();
  if (const auto& follow = status.stats.follow) {
    json.Key("follow").BeginObject().Member("generation", follow->generation);
    json.Member("snapshot_ms", follow->snapshot_ms).Member("objects", follow->objects);
    json.Member("looked_ms", follow->looked_ms);
    WriteFailure(json, "failure", follow->failure);
    json.EndObject();
  }
  json.Member("corruptions", status.stats.corruptions).Key("topics").BeginArray();
  for (const TopicDescription& topic : status.topics) WriteTopic(json, topic);
  json.EndArray().Key("findings").BeginArray();
  for (const StatusFinding& finding : status.findings) {
    json.BeginObject().Member("damage", finding.damage).Member("text", finding.text).EndObject();
  }
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

/// What is not as it should be; a log that is well has none of these lines.
void AddFailures(Table& facts, const EngineStats& stats) {
  auto add = [&](std::string_view name, std::string_view text) { facts.Add({Cell::Text(name), Cell::Text(text)}); };
  if (stats.upload_failure) add("upload_failure", FailureInWords(*stats.upload_failure));
  if (stats.upkeep_failure) add("upkeep_failure", FailureInWords(*stats.upkeep_failure));
  if (stats.cache_failure) add("cache_failure", FailureInWords(*stats.cache_failure));
  for (const auto& [name, count] : {std::pair("damaged_partitions", stats.damaged_partitions),
                                    std::pair("broken_partitions", stats.broken_partitions),
                                    std::pair("positions_corrected", stats.positions_corrected)}) {
    if (count > 0) facts.Add({Cell::Text(name), Cell::Count(count)});
  }
  if (stats.follow && stats.follow->failure) add("follow_failure", FailureInWords(*stats.follow->failure));
  if (stats.fenced) add("fenced", stats.fenced->message());
  if (stats.undeletable > 0)
    add("undeletable_objects", fmt::format("{}, since {}: {}", stats.undeletable,
                                           FormatTime(stats.undeletable_since_ms), stats.undeletable_why));
  if (stats.clock_doubted) add("clock", "doubted: retention by age waits");
}

void PrintTables(Session& session, const Status& status) {
  Table facts({"", ""});
  facts.Add({Cell::Text("version"), Cell::Text(ProgramVersion())});
  facts.Add({Cell::Text("data_dir"), Cell::Text(status.options.data_dir.string())});
  facts.Add({Cell::Text("object_store"), Cell::Text(status.options.object_store)});
  facts.Add({Cell::Text("metadata_store"), Cell::Text(status.options.metadata_store)});
  facts.Add({Cell::Text("lock"), Cell::Text(LockInWords(status.stats))});
  facts.Add({Cell::Text("io_path"), Cell::Text(status.stats.io_path)});
  facts.Add({Cell::Text("topics"), Cell::Count(status.topics.size())});
  facts.Add({Cell::Text("producers"), Cell::Count(status.stats.producers)});
  facts.Add({Cell::Text("groups"), Cell::Count(status.groups)});
  facts.Add({Cell::Text("upload_pending_bytes"), Cell::Bytes(status.stats.upload_pending_bytes)});
  AddFailures(facts, status.stats);
  session.out.Write(facts);
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
  if (!status.topics.empty()) session.out.Write(offsets);
}

/// Damage before what cannot be reached, before all else.
ExitCode CodeOf(const std::vector<StatusFinding>& findings) {
  ExitCode code = ExitCode::kOk;
  for (const StatusFinding& finding : findings) {
    if (finding.damage) return ExitCode::kDamaged;
    if (code != ExitCode::kUnreachable) code = finding.unreachable ? ExitCode::kUnreachable : ExitCode::kDifferent;
  }
  return code;
}

Result<ExitCode> Run(Session& session) {
  Status status;
  MR_ASSIGN_OR_RETURN(status.options, LocateReadable(session.arguments, ProcessEnvironment()));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, status.options, Creation::kNever));
  MR_ASSIGN_OR_RETURN(status.topics, engine->DescribeTopics());
  MR_ASSIGN_OR_RETURN(const std::vector<std::string> groups, engine->ListGroups());
  status.groups = groups.size();
  if (session.arguments.Has("--trust-clock")) {
    MR_TRY(engine->TrustClock());
    session.Note("the clock of this machine is trusted from now on: retention by age goes on by it");
  }
  status.options.object_store = engine->Stats().object_store;
  bool check = session.arguments.Has("--check");
  if (check) status.findings = ProbeHistory(*engine, status.topics, status.options);
  status.stats = engine->Stats();
  MR_TRY(CloseEngine(*engine));
  if (check) {
    std::ranges::move(CheckStatus(status.topics, status.stats, status.options.wal_bytes_max),
                      std::back_inserter(status.findings));
  }
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
      .log_flags = LogFlags::kEngine,
      .flags =
          {
              {"--check", "",
               "look for what is wrong, also in the object store; exit 8 if something is, 6 if it cannot be reached, 9 "
               "if it is damage"},
              {"--trust-clock", "", "the clock of this machine is right, although it jumped: go on by it"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details = "A log that another process holds cannot be asked: exit 6, naming that process.",
      .examples = {"millrace status --data-dir ./log", "millrace status --check --data-dir ./log || mail admin"},
      .run = Run,
  };
}

}  // namespace millrace
