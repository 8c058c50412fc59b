#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/held_wait.h"
#include "cli/verbs/progress_line.h"
#include "engine/log_move.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const MoveReport& report, bool dry_run) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.move.v1").Member("dry_run", dry_run);
  json.Member("identity", report.identity).Member("from", report.from).Member("to", report.to);
  json.Member("generation", std::uint64_t{report.generation}).Member("already", report.already);
  json.Member("objects", report.objects).Member("bytes", report.bytes).Member("copied", report.copied);
  json.Member("copied_bytes", report.copied_bytes).Key("missing").BeginArray();
  for (const std::string& key : report.missing) json.String(key);
  json.EndArray().Key("damaged").BeginArray();
  for (const std::string& key : report.damaged) json.String(key);
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

void PrintText(Session& session, const MoveReport& report, bool dry_run) {
  for (const std::string& key : report.missing)
    session.Note(fmt::format("{} is not at {}: its records are lost", key, report.from));
  for (const std::string& key : report.damaged) session.Note(fmt::format("{} is damaged, and came along so", key));
  if (report.already) return session.Note(fmt::format("the log lives at {} already", report.to));
  session.Note(fmt::format("{}copied {} objects ({}) of {} from {} to {}", dry_run ? "would have " : "", report.copied,
                           FormatBytes(report.copied_bytes), report.objects, report.from, report.to));
  if (!dry_run)
    session.Note(
        fmt::format("the log lives there from now on (generation {}); what lies at the old place is left as "
                    "it is",
                    report.generation));
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  const auto to = session.arguments.Text("--to");
  if (!to)
    return Error(ErrorCode::kInvalidArgument, "it is not said where the log is to live",
                 "Name the new object store: --to file:///PATH, --to s3://BUCKET/PREFIX");
  ProgressLine progress;
  MoveOptions move{.to = *to, .dry_run = session.arguments.Has("--dry-run")};
  move.on_progress = [&](const MoveProgress& now) {
    progress.Show(now.done, now.all, FormatBytes(now.bytes) + " copied");
  };
  const auto report = WhenFree(session, [&] { return MoveLog(options, move); });
  if (!report) return report.error().WithContext("store move");
  if (session.arguments.Has("--json")) {
    PrintJson(session, *report, move.dry_run);
  } else {
    PrintText(session, *report, move.dry_run);
  }
  return report->missing.empty() && report->damaged.empty() ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace

Command StoreMoveCommand() {
  return {
      .words = "store move",
      .summary = "Take a log to another object store, or another prefix",
      .log_flags = LogFlags::kEngine,
      .flags =
          {
              {"--to", "URL", "where the log is to live: file:///PATH, s3://BUCKET/PREFIX"},
              {"--dry-run", "", "say what would be copied; put nothing"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "Copies every object that the log needs, each block checked on the way, then claims the new place and ends "
          "the old one: from then on the log lives there, and directories that still name the old place are told where "
          "it went. Stop what has the log open first. A move that dies, or is killed, is run again and copies what is "
          "missing; from the moment on at which the claims change hands nothing is appended until it has come to its "
          "end. What has not been uploaded stays in the write-ahead log and goes to the new place. The old place keeps "
          "its objects. Exit 9 if an object was missing or damaged there, and the rest has moved.",
      .examples = {"millrace store move --to 's3://logs/prod?region=eu-central-1' --data-dir ./log --dry-run",
                   "millrace store move --to file:///mnt/archive/log --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
