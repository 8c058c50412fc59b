#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/held_wait.h"
#include "engine/directory_takeover.h"
#include "text/json_writer.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  const std::string url = session.arguments.Positional("URL");
  const bool original = session.arguments.Has("--this-is-the-original"), dry_run = session.arguments.Has("--dry-run");
  if (url.empty() && !original)
    return Error(ErrorCode::kInvalidArgument, "it is not said what is to be adopted",
                 "Name the log's store by its new address, or say --this-is-the-original of the directory.");
  if (!url.empty()) options.object_store = url;
  const auto scope = original ? AdoptScope::kThisDirectory : AdoptScope::kAddress;
  const auto mode = dry_run ? AdoptMode::kLook : AdoptMode::kChange;
  const auto report = WhenFree(session, [&] { return AdoptDirectory(options, scope, mode); });
  if (!report) return report.error().WithContext("store adopt");
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.adopt.v1").Member("dry_run", dry_run).Member("home", report->home);
    json.Member("was_elsewhere", report->was_elsewhere);
    json.Member("was_taken_for_copy", report->was_taken_for_copy).EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  const std::string_view would = dry_run ? "would be done: " : "";
  if (report->was_elsewhere) session.Note(fmt::format("{}the log's home is {} from now on", would, report->home));
  if (report->was_taken_for_copy)
    session.Note(fmt::format("{}this directory is the original and writes again; a copy of it writes nothing", would));
  if (!report->was_elsewhere && !report->was_taken_for_copy) session.Note("nothing was to be done");
  return ExitCode::kOk;
}

}  // namespace

Command StoreAdoptCommand() {
  return {
      .words = "store adopt",
      .summary = "Tell a log that its store has a new address, or that its directory is no copy",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"URL", "the same store under a new address: file:///PATH, s3://BUCKET/PREFIX",
                       Presence::kOptional}},
      .flags =
          {
              {"--this-is-the-original", "",
               "the directory was restored or moved by its files, and is taken for a copy"},
              {"--dry-run", "", "say what would be done; change nothing"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "A directory is known by its marker file's number and time of birth: a copy reads, and writes nothing to the "
          "store. A directory that was put back file by file looks like a copy and is none; this says so, after the "
          "store was asked whether the log went on elsewhere meanwhile: then it is refused (kFenced). Where the "
          "original is gone and this is a copy of it, `store takeover` is the word. A new address must hold the log's "
          "own last claim, or it is refused (exit 2).",
      .examples = {"millrace store adopt --this-is-the-original --data-dir ./log",
                   "millrace store adopt 's3://logs/prod?endpoint=https://new.example' --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
