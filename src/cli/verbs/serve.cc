#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/configuration.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/serving.h"
#include "millrace/server.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(Configuration configuration, Configure(session.arguments, ProcessEnvironment()));
  MR_TRY(TakeServingFlags(session.arguments, configuration));
  if (session.arguments.Has("--server"))
    return Error(ErrorCode::kInvalidArgument, "this verb is the server", "Name its log with --data-dir DIR.");
  if (configuration.options.data_dir.empty() && configuration.options.read_only)
    return Error(ErrorCode::kInvalidArgument, "a log that is read from its object store alone cannot be served",
                 "serve it where it is written, by its data directory; `consume` and `tail` read it here");
  if (configuration.options.data_dir.empty()) configuration.options.data_dir = "./millrace-data";
  if (session.arguments.Has("--check")) {
    MR_TRY(CheckServerOptions(configuration.server));
    session.Note("the settings are in order");
    return ExitCode::kOk;
  }
  return ServeUntilStopped(session, std::move(configuration));
}

std::vector<Flag> Flags() {
  std::vector<Flag> flags = ServingFlags();
  flags.push_back({"--check", "", "look at the settings and addresses, and end: exit 2 if they are wrong"});
  return flags;
}

}  // namespace

Command ServeCommand() {
  return {
      .words = "serve",
      .summary = "Serve a log to Kafka clients",
      .log_flags = LogFlags::kEngine,
      .flags = Flags(),
      .details =
          "Runs until SIGTERM or Ctrl-C: then takes no client in any more, answers fetches that wait, finishes "
          "what is in flight, syncs, and exits 0 (130 by Ctrl-C). A second signal ends it at once; nothing "
          "acknowledged is lost. Without --data-dir the log is in ./millrace-data. Settings named server.… and "
          "topic_defaults.… are its own.",
      .examples = {"millrace serve --data-dir ./log", "millrace serve --store s3://logs/prod --listen localhost:9092",
                   "millrace serve --listen :9092 --plaintext-beyond-loopback --advertise log.example:9092"},
      .run = Run,
  };
}

}  // namespace millrace
