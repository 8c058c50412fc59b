#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/parse/offset_choice.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/cursor_choice.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const OffsetChoice to, ParseOffsetChoice("OFFSET", session.arguments.Positional("OFFSET")));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  MR_ASSIGN_OR_RETURN(const Offset position, ResolveOffset(*engine, choice.partition, to));
  // What is mistyped fails here, and leaves no cursor that would hold records back.
  if (!session.arguments.Has("--create")) {
    if (auto there = RequireCursor(choice); !there)
      return there.error().WithHint("`millrace cursor ls` lists what there is; --create makes a new one.");
  }
  MR_TRY(CheckWithin(*engine, choice.partition, position));
  if (session.arguments.Has("--dry-run")) {
    session.Note(fmt::format("cursor {} would go on at offset {} of {}/{}", choice.name, position.value(),
                             choice.partition.topic, choice.partition.partition.value()));
    MR_TRY(CloseEngine(*engine));
    return ExitCode::kOk;
  }
  MR_ASSIGN_OR_RETURN(auto cursor, OpenChosen(session, *engine, choice, ReadConsistency::StrictlyAtOnce()));
  MR_TRY(cursor->Seek(position));
  cursor.reset();
  session.Note(fmt::format("cursor {} goes on at offset {} of {}/{}", choice.name, position.value(),
                           choice.partition.topic, choice.partition.partition.value()));
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command CursorSeekCommand() {
  return {
      .words = "cursor seek",
      .summary = "Move a cursor",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "the topic"},
                      {"CURSOR", "its name"},
                      {"OFFSET", "earliest, latest, an offset or @TIME"}},
      .flags =
          {
              {"-p,--partition", "N", "the cursor's partition (default 0)"},
              {"--create", "", "make the cursor if there is none"},
              {"--dry-run", "", "tell what would happen, and change nothing"},
              {"--json", "", "errors are JSON"},
          },
      .examples = {"millrace cursor seek jobs worker 4711 --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
