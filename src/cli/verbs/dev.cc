#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/configuration.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/serving.h"
#include "env/temporary_directory.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(Configuration configuration, Configure(session.arguments, ProcessEnvironment()));
  MR_TRY(TakeServingFlags(session.arguments, configuration));
  if (configuration.OriginOf("server.auto_create_topics") == "default") configuration.server.auto_create_topics = true;
  if (configuration.OriginOf("server.group_initial_delay") == "default")
    configuration.server.group_initial_delay = std::chrono::milliseconds(0);
  std::optional<TemporaryDirectory> directory;
  if (!session.arguments.Has("--data-dir")) {
    std::error_code ignored;
    MR_ASSIGN_OR_RETURN(TemporaryDirectory made, TemporaryDirectory::In(std::filesystem::temp_directory_path(ignored)));
    directory.emplace(std::move(made));
    configuration.options.data_dir = directory->path();
    session.Note(fmt::format("the log is in {} and is removed at the end; keep one with --data-dir",
                             directory->path().string()));
  }
  return ServeUntilStopped(session, std::move(configuration));
}

}  // namespace

Command DevCommand() {
  return {
      .words = "dev",
      .summary = "Serve a log for trying things out: in a temporary directory, topics made when asked for",
      .log_flags = LogFlags::kEngine,
      .flags = ServingFlags(),
      .details = "As serve, but clients create topics by using them, and without --data-dir nothing is left behind.",
      .examples = {"millrace dev", "millrace dev --listen localhost:19092 --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
