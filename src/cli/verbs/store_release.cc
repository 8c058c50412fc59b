#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/held_wait.h"
#include "engine/log_release.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const ReleaseReport& report, bool dry_run) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.release.v1").Member("dry_run", dry_run);
  json.Member("identity", report.identity).Member("home", report.home);
  json.Member("generation", std::uint64_t{report.generation}).Member("already", report.already);
  json.Member("pending_bytes", report.pending_bytes).Member("topics", report.topics);
  json.Member("partitions", report.partitions).Member("cursors", report.cursors).EndObject();
  session.out.Write(text + '\n');
}

void PrintText(Session& session, const ReleaseReport& report, bool dry_run) {
  if (dry_run) {
    session.Note(
        fmt::format("would upload {} to {}, of {} topics with {} partitions, and write nothing here afterwards",
                    FormatBytes(report.pending_bytes), report.home, report.topics, report.partitions));
  } else {
    session.Note(fmt::format("{}released (generation {}); to go on with it: `millrace store restore {} --data-dir DIR`",
                             report.already ? "was already " : "", report.generation, report.home));
  }
  if (report.cursors > 0)
    session.Note(fmt::format("{} cursors stay behind: their positions are in this directory alone", report.cursors));
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  const bool dry_run = session.arguments.Has("--dry-run");
  const auto report = WhenFree(session, [&] { return ReleaseLog(options, {.dry_run = dry_run}); });
  if (!report) return report.error().WithContext("store release");
  if (session.arguments.Has("--json")) {
    PrintJson(session, *report, dry_run);
  } else {
    PrintText(session, *report, dry_run);
  }
  return ExitCode::kOk;
}

}  // namespace

Command StoreReleaseCommand() {
  return {
      .words = "store release",
      .summary = "Hand a log over: upload all of it, and let it go on elsewhere without a gap",
      .log_flags = LogFlags::kEngine,
      .flags =
          {
              {"--dry-run", "", "say what would be uploaded; change nothing"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "For a planned move to another machine: release here, `store restore` there. Everything is uploaded and a "
          "last snapshot put, with the positions of groups as they are; the restored log has every record and goes on "
          "at the next offset, where a log whose disk was lost goes on 2^32 above. This directory reads on and writes "
          "nothing any more. Positions of cursors are in the directory alone and stay behind. Stop what has the log "
          "open first. A release that dies is run again.",
      .examples = {"millrace store release --data-dir ./log --dry-run", "millrace store release --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
