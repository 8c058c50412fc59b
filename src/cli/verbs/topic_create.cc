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
  NewTopic wanted;
  MR_ASSIGN_OR_RETURN(auto partitions, arguments.Integer("--partitions", {1, INT32_MAX}));
  if (partitions) wanted.options.partitions = static_cast<std::int32_t>(*partitions);
  MR_TRY(ApplyTopicSettings(arguments.All("--config"), wanted.options));
  for (const std::string& setting : arguments.All("--config"))
    wanted.given.push_back(setting.substr(0, setting.find('=')));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kIfMissing));
  MR_TRY(log->CreateTopic(name, wanted));
  MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(*log, name));
  if (arguments.Has("--json")) {
    session.out.Write(TopicDocument(topic));
  } else {
    session.Note(fmt::format("created topic {}", NewTopicInWords(topic)));
  }
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return ExitCode::kOk;
}

}  // namespace

Command TopicCreateCommand() {
  return {
      .words = "topic create",
      .summary = "Make a topic",
      .log_flags = LogFlags::kLog,
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
                   "millrace topic create audit -c millrace.durability=object --server localhost:9092"},
      .run = Run,
  };
}

}  // namespace millrace
