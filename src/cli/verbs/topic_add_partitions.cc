#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  MR_ASSIGN_OR_RETURN(auto count, arguments.Integer("--count", {1, 1'000'000}));
  if (!count) return Error(ErrorCode::kInvalidArgument, "how many partitions to add is not given", "Use -n N.");
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(*log, arguments.Positional("TOPIC")));
  const auto more = static_cast<std::int32_t>(*count);
  MR_TRY(log->AddPartitions(topic, more));
  session.Note(fmt::format("topic {} has {} partitions now", topic.name, topic.options.partitions + more));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return ExitCode::kOk;
}

}  // namespace

Command TopicAddPartitionsCommand() {
  return {
      .words = "topic add-partitions",
      .summary = "Give a topic more partitions",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "its name"}},
      .flags = {{"-n,--count", "N", "how many more"}, {"--json", "", "errors are JSON"}},
      .details = "Keys that lie in one partition today may go to another one from then on.",
      .examples = {"millrace topic add-partitions orders -n 2 --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
