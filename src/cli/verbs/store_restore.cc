#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/progress_line.h"
#include "engine/log_restore.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const RestoreReport& report, bool dry_run) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.restore.v1").Member("dry_run", dry_run);
  json.Member("identity", report.identity).Member("home", report.home);
  json.Member("generation", std::uint64_t{report.generation}).Member("last_host", report.last_host);
  json.Member("last_claim_ms", report.last_claim_ms).Member("snapshot_ms", report.snapshot_ms);
  json.Member("topics", report.topics).Member("partitions", report.partitions).Member("segments", report.segments);
  json.Member("records", report.records).Member("bytes", report.bytes).Member("positions", report.positions);
  json.Member("producers", report.producers);
  json.Member("linked", report.linked).Member("unlinked", report.unlinked).Key("lost").BeginArray();
  for (const LostRange& range : report.lost) {
    json.BeginObject().Member("topic", range.partition.topic);
    json.Member("partition", std::int64_t{range.partition.partition.value()}).Member("begin", range.begin.value());
    json.Member("end", range.end.value()).Member("reserved", range.reserved).EndObject();
  }
  json.EndArray().Key("unusable").BeginArray();
  for (const SurveyFinding& finding : report.unusable)
    json.BeginObject().Member("key", finding.key).Member("text", finding.error.message()).EndObject();
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

void PrintText(Session& session, const RestoreReport& report, bool dry_run) {
  const auto line = [&](const std::string& text) { session.out.Write(text + '\n'); };
  line(fmt::format("log {} at {}, last written to by {} since {}", report.identity, report.home, report.last_host,
                   FormatTime(report.last_claim_ms)));
  line(fmt::format("{} topics, {} partitions, {} segments, {} records, {}; {} positions of groups", report.topics,
                   report.partitions, report.segments, report.records, FormatBytes(report.bytes), report.positions));
  line(report.snapshot_ms == 0 ? fmt::format("from {} objects alone, without a snapshot", report.linked)
                               : fmt::format("from the snapshot of {} and {} objects behind it",
                                             FormatTime(report.snapshot_ms), report.linked));
  if (report.producers > 0)
    line(fmt::format("{} producers that number their batches: what they send again is known", report.producers));
  for (const LostRange& range : report.lost) {
    const std::string name = fmt::format("{}/{}", range.partition.topic, range.partition.partition.value());
    line(range.reserved ? fmt::format("{} goes on at offset {}: what was given from {} on and not uploaded is lost",
                                      name, range.end.value(), range.begin.value())
                        : fmt::format("{} lacks offsets [{}, {}): no object has them", name, range.begin.value(),
                                      range.end.value()));
  }
  for (const SurveyFinding& finding : report.unusable)
    line(fmt::format("{} cannot be used: {}", finding.key, finding.error.message()));
  if (!dry_run) session.Note("restored; whoever wrote there before writes there no more");
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  options.object_store = session.arguments.Positional("URL");
  ProgressLine progress;
  const bool dry_run = session.arguments.Has("--dry-run");
  RestoreOptions restore{.dry_run = dry_run};
  restore.on_progress = [&](const SurveyProgress& now) {
    progress.Show(now.done, now.all, fmt::format("{:.0f} a second", progress.Rate(now.done)));
  };
  MR_ASSIGN_OR_RETURN(const RestoreReport report, RestoreLog(std::move(options), restore));
  if (session.arguments.Has("--json")) {
    PrintJson(session, report, dry_run);
  } else {
    PrintText(session, report, dry_run);
  }
  return ExitCode::kOk;
}

}  // namespace

Command StoreRestoreCommand() {
  return {
      .words = "store restore",
      .summary = "Make a directory that goes on with a log, from its object store alone",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"URL", "the object store of the log: file:///PATH, s3://BUCKET/PREFIX"}},
      .flags =
          {
              {"--dry-run", "", "say what would be there and what is lost; claim and write nothing"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "All that was acknowledged as `object` is there; of the rest what was uploaded. Each partition goes on far "
          "above what the lost disk can have given, so that no offset is given twice; reads step over the gap and say "
          "so. Who wrote to the store before is fenced, at once. A restore that dies is run again.",
      .examples = {"millrace store restore s3://logs/prod --data-dir ./log --dry-run",
                   "millrace store restore file:///backup/log --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
