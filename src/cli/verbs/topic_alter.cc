#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "cli/verbs/topics.h"
#include "kafka/topic_settings.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  std::string name = arguments.Positional("TOPIC");
  MR_ASSIGN_OR_RETURN(auto partitions, arguments.Integer("--partitions", {1, INT32_MAX}));
  if (!partitions && !arguments.Has("--config")) {
    return Error(ErrorCode::kInvalidArgument, "nothing to change is given", "Use -c KEY=VALUE or -p N.");
  }
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, name));
  if (partitions) topic.options.partitions = static_cast<std::int32_t>(*partitions);
  MR_TRY(ApplyTopicSettings(arguments.All("--config"), topic.options));
  MR_TRY(engine->AlterTopic(name, topic.options));
  if (arguments.Has("--json")) {
    MR_ASSIGN_OR_RETURN(topic, FindTopic(*engine, name));
    session.out.Write(TopicDocument(topic));
  } else {
    session.Note(fmt::format("altered topic {}", name));
  }
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command TopicAlterCommand() {
  return {
      .words = "topic alter",
      .summary = "Change a topic's settings",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "its name"}},
      .flags =
          {
              {"-c,--config",
               "KEY=VALUE",
               "a setting, as in topic create; -1 for a retention that keeps",
               {},
               Repeat::kMany},
              {"-p,--partitions", "N", "so many from now on; never fewer"},
              {"--json", "", "describe it as a JSON document; errors are JSON too"},
          },
      .examples = {"millrace topic alter orders -c retention.bytes=10GiB --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
