#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const auto time_max, session.arguments.Duration("--time-max"));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const MaintenanceReport done, engine->Maintain(time_max));
  MR_TRY(engine->Close());
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.maintain.v1").Member("uploaded_bytes", done.uploaded_bytes);
    json.Member("records_retired", done.records_retired).Member("objects_deleted", done.objects_deleted);
    json.Member("finished", done.finished).EndObject();
    session.out.Write(text + '\n');
  } else {
    session.Note(fmt::format("uploaded {}, retired {} records, deleted {} objects{}", FormatBytes(done.uploaded_bytes),
                             done.records_retired, done.objects_deleted,
                             done.finished ? "" : "; the time was over and more is due"));
  }
  return done.finished ? ExitCode::kOk : ExitCode::kPartDone;
}

}  // namespace

Command MaintainCommand() {
  return {
      .words = "maintain",
      .summary = "Do what is due: idle uploads, retention, removal of objects nobody needs",
      .log_flags = LogFlags::kEngine,
      .flags =
          {
              {"--time-max", "DURATION",
               "end after so long, with what is done by then (default: all of it; exit 7 if more is due)"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details = "For logs that only short commands use, from cron: each of them does a tenth of a second of it.",
      .examples = {"millrace maintain --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
