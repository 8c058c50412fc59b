#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/cursor_choice.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  const bool dry_run = session.arguments.Has("--dry-run");
  if (dry_run) MR_TRY(RequireCursor(choice));
  if (!dry_run) MR_TRY(engine->DeleteCursor(choice.partition, choice.name));
  session.Note(fmt::format("{} cursor {} of {}/{}", dry_run ? "would remove" : "removed", choice.name,
                           choice.partition.topic, choice.partition.partition.value()));
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command CursorRemoveCommand() {
  return {
      .words = "cursor rm",
      .summary = "Remove a cursor; the records stay unless they were kept for it alone",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "the topic"}, {"CURSOR", "its name"}},
      .flags =
          {
              {"-p,--partition", "N", "the cursor's partition (default 0)"},
              {"--dry-run", "", "tell what would happen, and change nothing"},
              {"--json", "", "errors are JSON"},
          },
      .aliases = {"delete"},
      .run = Run,
  };
}

}  // namespace millrace
