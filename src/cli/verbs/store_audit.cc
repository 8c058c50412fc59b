#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/store_choice.h"
#include "text/json_writer.h"
#include "text/table.h"
#include "text/units.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const StoreReport& report) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.store_audit.v1").Member("identity", report.identity);
  json.Member("home", report.home).Member("generation", std::uint64_t{report.generation});
  json.Member("from_store_alone", report.from_store_alone).Member("unlisted", report.unlisted);
  json.Key("findings").BeginArray();
  for (const StoreFinding& found : report.account.found) {
    json.BeginObject().Member("kind", NameOf(found.kind)).Member("key", found.key);
    json.Member("damage", found.is_damage()).Member("size_bytes", found.size_bytes);
    json.Member("expected_bytes", found.expected_bytes).Member("modified_ms", found.modified_ms).EndObject();
  }
  json.EndArray().Key("unusable").BeginArray();
  for (const SurveyFinding& finding : report.unusable)
    json.BeginObject().Member("key", finding.key).Member("text", finding.error.message()).EndObject();
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

void PrintText(Session& session, const StoreReport& report) {
  NoteStore(session, report);
  Table table({"FINDING", "KEY", "BYTES", "EXPECTED", "SINCE"});
  for (const StoreFinding& found : report.account.found)
    table.Add({Cell::Text(NameOf(found.kind)), Cell::Text(found.key), Cell::Bytes(found.size_bytes),
               Cell::Bytes(found.expected_bytes),
               found.modified_ms > 0 ? Cell::Time(found.modified_ms) : Cell::Text("-")});
  session.out.Write(table);
  for (const SurveyFinding& finding : report.unusable)
    session.Note(fmt::format("{} cannot be used: {}", finding.key, finding.error.message()));
  if (report.unlisted > 0)
    session.Note(fmt::format("{} objects are there although the listing does not name them", report.unlisted));
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const StoreReport report, ReportChosenStore(session));
  const auto& found = report.account.found;
  const auto damaged = std::ranges::count_if(found, &StoreFinding::is_damage);
  if (session.arguments.Has("--json")) {
    PrintJson(session, report);
  } else {
    PrintText(session, report);
    session.Note(fmt::format(
        "{} objects in use ({}), {} damaged or missing, {} other findings", report.account.of(StoredAs::kInUse).objects,
        FormatBytes(report.account.of(StoredAs::kInUse).bytes), damaged, std::ssize(found) - damaged));
  }
  return damaged > 0 ? ExitCode::kDamaged : ExitCode::kOk;
}

}  // namespace

Command StoreAuditCommand() {
  return {
      .words = "store audit",
      .summary = "Compare what lies in an object store with what the log's rows say; report, and delete nothing",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"URL", "look at this store alone, whoever writes there: file:///PATH, s3://BUCKET/PREFIX",
                       Presence::kOptional}},
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .details =
          "missing: rows refer to it and the store has it not, asked for by its key; wrong_size: it is shorter or "
          "longer than the row says; missing_claim: nobody can tell any more whose objects are whose. These three are "
          "exit 9. orphan: of this log, and no row refers to it; the log's own upkeep deletes it after its grace. "
          "elsewhere: of processes before this directory took the log over, or after. foreign: no key of a log. "
          "Without URL the log of --data-dir is examined by its own rows, while no process has it open; with URL by "
          "the newest snapshot and the objects behind it, where what is put meanwhile may show as an orphan. What is "
          "in an object is checked by `segment verify`.",
      .examples = {"millrace store audit --data-dir ./log", "millrace store audit s3://logs/prod --json"},
      .run = Run,
  };
}

}  // namespace millrace
