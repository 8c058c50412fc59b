#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  std::vector<std::string> names = session.arguments.Positionals("TOPIC");
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  // A misspelt name among several must not cost the others their topic.
  for (const std::string& name : names) MR_TRY(FindTopic(*log, name));
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  if (session.arguments.Has("--dry-run")) {
    for (const std::string& name : names) session.Note(fmt::format("would remove topic {}", name));
    names.clear();
  }
  std::size_t removed = 0;
  for (const std::string& name : names) {
    auto result = log->DeleteTopic(name);
    if (!result && removed == 0) return result.error();
    if (!result) {
      session.Note(fmt::format("topic {} stays: {}", name, result.error().ToString()));
      return ExitCode::kPartDone;
    }
    ++removed;
    session.Note(fmt::format("removed topic {}", name));
  }
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return ExitCode::kOk;
}

}  // namespace

Command TopicRemoveCommand() {
  return {
      .words = "topic rm",
      .summary = "Remove topics with all their records and positions",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "one or more; if one does not exist, nothing is removed", Presence::kRequired,
                       Repeat::kMany}},
      .flags = {{"--dry-run", "", "tell what would happen, and change nothing"}, {"--json", "", "errors are JSON"}},
      .examples = {"millrace topic rm orders --data-dir ./log"},
      .aliases = {"delete"},
      .run = Run,
  };
}

}  // namespace millrace
