#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/group_table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  std::string group = session.arguments.Positional("GROUP");
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_TRY(FindGroup(*log, group));
  const bool dry_run = session.arguments.Has("--dry-run");
  if (!dry_run) MR_TRY(log->DeleteGroup(group));
  session.Note(fmt::format("{} group {}", dry_run ? "would remove" : "removed", group));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return ExitCode::kOk;
}

}  // namespace

Command GroupRemoveCommand() {
  return {
      .words = "group rm",
      .summary = "Remove a group's positions; the records stay",
      .log_flags = LogFlags::kLog,
      .positionals = {{"GROUP", "its name"}},
      .flags = {{"--dry-run", "", "tell what would happen, and change nothing"}, {"--json", "", "errors are JSON"}},
      .aliases = {"delete"},
      .run = Run,
  };
}

}  // namespace millrace
