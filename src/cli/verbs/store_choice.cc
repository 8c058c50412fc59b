#include "cli/verbs/store_choice.h"

#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/held_wait.h"
#include "text/units.h"

namespace millrace {

Result<StoreReport> ReportChosenStore(Session& session) {
  const std::string url = session.arguments.Positional("URL");
  if (!url.empty()) return ReportStore(url, session.arguments.Text("--name-space").value_or(""));
  MR_ASSIGN_OR_RETURN(const EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  return WhenFree(session, [&] { return ReportLog(options); });
}

void NoteStore(Session& session, const StoreReport& report) {
  session.Note(fmt::format("log {} at {}, generation {}, by {}", report.identity, report.home, report.generation,
                           report.from_store_alone ? "the store alone" : "the rows of its directory"));
  if (!report.from_store_alone) return;
  if (report.snapshot_ms == 0)
    return session.Note(fmt::format("there is no snapshot; {} objects ({}) tell what is in them", report.behind_objects,
                                    FormatBytes(report.behind_bytes)));
  session.Note(fmt::format("the newest snapshot, of {}, accounts for {} objects; {} ({}) lie behind it",
                           FormatTime(report.snapshot_ms), report.snapshot_objects, report.behind_objects,
                           FormatBytes(report.behind_bytes)));
}

}  // namespace millrace
