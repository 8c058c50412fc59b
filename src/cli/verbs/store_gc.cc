#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/held_wait.h"
#include "engine/log_collection.h"
#include "text/json_writer.h"
#include "text/table.h"
#include "text/units.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const CollectionReport& report, bool dry_run) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.gc.v1").Member("dry_run", dry_run).Member("home", report.home);
  json.Member("deleted", report.deleted).Member("waiting", report.waiting);
  json.Member("waiting_bytes", report.waiting_bytes).Member("next_due_ms", report.next_due_ms);
  json.Member("under_way", report.under_way).Member("snapshots", report.snapshots).Member("finished", report.finished);
  json.Key("due").BeginArray();
  for (const ObjectRow& object : report.due) {
    json.BeginObject().Member("key", object.key).Member("bytes", object.size_bytes);
    json.Member("given_up_ms", object.changed_ms).EndObject();
  }
  json.EndArray().Key("failure");
  if (report.failure) {
    json.BeginObject().Member("code", ErrorCodeName(report.failure->code()));
    json.Member("message", report.failure->message()).EndObject();
  } else {
    json.Null();
  }
  json.EndObject();
  session.out.Write(text + '\n');
}

void PrintText(Session& session, const CollectionReport& report, bool dry_run) {
  Table table({"KEY", "BYTES", "GIVEN-UP"});
  for (const ObjectRow& object : report.due)
    table.Add({Cell::Text(object.key), Cell::Bytes(object.size_bytes), Cell::Time(object.changed_ms)});
  session.out.Write(table);
  if (dry_run) {
    session.Note(fmt::format("would delete {} objects", report.due.size()));
  } else {
    session.Note(fmt::format("deleted {} objects, after {} snapshots; {} that are due could not go{}", report.deleted,
                             report.snapshots, report.due.size(), report.finished ? "" : "; the time was over"));
  }
  if (report.waiting > 0)
    session.Note(fmt::format("{} objects ({}) are within their grace; the first is due {}", report.waiting,
                             FormatBytes(report.waiting_bytes), FormatTime(report.next_due_ms)));
  if (report.failure) session.Note(fmt::format("first failure: {}", report.failure->message()));
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  MR_ASSIGN_OR_RETURN(const auto time_max, session.arguments.Duration("--time-max"));
  const bool dry_run = session.arguments.Has("--dry-run");
  const auto report =
      WhenFree(session, [&] { return CollectLog(options, {.dry_run = dry_run, .time_max = time_max}); });
  if (!report) return report.error().WithContext("store gc");
  if (session.arguments.Has("--json")) {
    PrintJson(session, *report, dry_run);
  } else {
    PrintText(session, *report, dry_run);
  }
  return dry_run || (report->due.empty() && report->finished) ? ExitCode::kOk : ExitCode::kPartDone;
}

}  // namespace

Command StoreGcCommand() {
  return {
      .words = "store gc",
      .summary = "Delete the objects that the log has given up and whose grace is over",
      .log_flags = LogFlags::kEngine,
      .flags =
          {
              {"--dry-run", "", "list what is due; change nothing"},
              {"--time-max", "DURATION", "end after so long, with what is done by then (default: all of it)"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "What upkeep does in its own time, at once. Rows decide what goes, never a listing: objects that no segment "
          "needs any more, after their grace (an hour for a store that is far), after a snapshot that knows they are "
          "given up, and after a look that nobody has taken the log over. A deletion that the store refuses is listed, "
          "holds up no other, and is tried again by upkeep after pauses that grow. Exit 7 if something that is due is "
          "still there. What no row knows is told by `store audit`.",
      .examples = {"millrace store gc --data-dir ./log --dry-run", "millrace store gc --data-dir ./log --time-max 5m"},
      .run = Run,
  };
}

}  // namespace millrace
