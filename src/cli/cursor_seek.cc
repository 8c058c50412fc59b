#include <fmt/format.h>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/cursor_choice.h"
#include "cli/data_location.h"
#include "cli/offset_choice.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const OffsetChoice to, ParseOffsetChoice("OFFSET", session.arguments.Positional("OFFSET")));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session.arguments, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  MR_ASSIGN_OR_RETURN(const Offset position, ResolveOffset(*engine, choice.partition, to));
  MR_ASSIGN_OR_RETURN(auto cursor, OpenChosen(session, *engine, choice, ReadConsistency::StrictlyAtOnce()));
  MR_TRY(cursor->Seek(position));
  cursor.reset();
  session.Note(fmt::format("cursor {} goes on at offset {} of {}/{}", choice.name, position.value(),
                           choice.partition.topic, choice.partition.partition.value()));
  MR_TRY(engine->Close());
  return ExitCode::kOk;
}

}  // namespace

Command CursorSeekCommand() {
  return {
      .words = "cursor seek",
      .summary = "Move a cursor",
      .place = Place::kEngine,
      .positionals = {{"TOPIC", "the topic"},
                      {"CURSOR", "its name; a new one is fine"},
                      {"OFFSET", "earliest, latest, an offset or @TIME"}},
      .flags =
          {
              {"-p,--partition", "N", "the cursor's partition (default 0)"},
              {"--json", "", "errors are JSON"},
          },
      .examples = {"millrace cursor seek jobs worker 4711 --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
