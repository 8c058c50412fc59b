#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "engine/directory_takeover.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  MR_ASSIGN_OR_RETURN(const bool copied, TakeOverDirectory(std::move(options)));
  session.Note(copied ? "this directory goes on with its next write; the one it was copied from writes no more after it"
                      : "this directory is no copy: nothing was to be done");
  return ExitCode::kOk;
}

}  // namespace

Command StoreTakeoverCommand() {
  return {
      .words = "store takeover",
      .summary = "Let a directory go on that was copied, or moved by its files",
      .log_flags = LogFlags::kEngine,
      .details =
          "A copy of a data directory reads, and writes nothing, so that it never disturbs its original. Use this when "
          "the original is gone, or when this is the original, restored file by file. If the log went on elsewhere "
          "meanwhile, the next write says so (kFenced), and `millrace store restore` has what this directory lacks.",
      .examples = {"millrace store takeover --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
