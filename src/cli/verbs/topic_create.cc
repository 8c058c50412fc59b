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
  TopicOptions options;
  MR_ASSIGN_OR_RETURN(auto partitions, arguments.Integer("--partitions", {1, INT32_MAX}));
  if (partitions) options.partitions = static_cast<std::int32_t>(*partitions);
  MR_TRY(ApplyTopicSettings(arguments.All("--config"), options));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kIfMissing));
  MR_TRY(engine->CreateTopic(name, options));
  if (arguments.Has("--json")) {
    MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, name));
    session.out.Write(TopicDocument(topic));
  } else {
    session.Note(fmt::format("created topic {} ({} partition{}, durability {})", name, options.partitions,
                             options.partitions == 1 ? "" : "s", DurabilityName(options.durability)));
  }
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command TopicCreateCommand() {
  return {
      .words = "topic create",
      .summary = "Make a topic",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "letters, digits, dot, underscore and dash; at most 249"}},
      .flags =
          {
              {"-p,--partitions", "N", "how many (default 1)"},
              {"-c,--config",
               "KEY=VALUE",
               "a setting: retention.ms, retention.bytes, millrace.durability, cleanup.policy",
               {},
               Repeat::kMany},
              {"--json", "", "describe it as a JSON document; errors are JSON too"},
          },
      .examples = {"millrace topic create orders -p 4 -c retention.ms=7d --data-dir ./log",
                   "millrace topic create audit -c millrace.durability=object --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
