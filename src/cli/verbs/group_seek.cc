#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/group_target.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

/// What a server would refuse for its members.
Result<void> CheckNobodyIsIn(Log& log, std::string_view group) {
  if (log.engine() != nullptr) return {};
  MR_ASSIGN_OR_RETURN(const GroupMembership membership, log.DescribeGroupMembers(group));
  if (membership.members.empty()) return {};
  return Error(ErrorCode::kUnavailable, fmt::format("group {} has members", group), "Stop its consumers first.")
      .WithRetryable(false);
}

/// A position outside the log would only be moved again by the next reader.
Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  std::string group = arguments.Positional("GROUP");
  if (group.empty()) return Error(ErrorCode::kInvalidArgument, "a group's name is not empty");
  auto text = arguments.Text("--to");
  if (!text) {
    return Error(ErrorCode::kInvalidArgument, "group seek needs --to",
                 "Give earliest, latest, an offset, @TIME, +N, -N or a file.");
  }
  MR_ASSIGN_OR_RETURN(const GroupTarget target, ParseGroupTarget(*text));
  MR_ASSIGN_OR_RETURN(auto only, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(*log, arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, only));
  MR_ASSIGN_OR_RETURN(const std::vector<GroupMove> moves, MovesOf(*log, group, partitions, target));
  const bool dry_run = arguments.Has("--dry-run");
  if (dry_run) MR_TRY(CheckNobodyIsIn(*log, group));
  for (const GroupMove& move : moves) {
    if (!dry_run) MR_TRY(log->SeekGroup(group, move.partition, move.to));
    session.Note(fmt::format("group {} {} at offset {} of {}/{}", group, dry_run ? "would go on" : "goes on",
                             move.to.value(), topic.name, move.partition.partition.value()));
  }
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return ExitCode::kOk;
}

}  // namespace

Command GroupSeekCommand() {
  return {
      .words = "group seek",
      .summary = "Move a group's position in a topic",
      .log_flags = LogFlags::kLog,
      .positionals = {{"GROUP", "its name; a new one is fine"}, {"TOPIC", "the topic"}},
      .flags =
          {
              {"--to", "WHERE", "earliest, latest, an offset, @TIME, +N or -N from where it is, or a file"},
              {"-p,--partition", "N", "in this partition only"},
              {"--dry-run", "", "tell what would happen, and change nothing"},
              {"--json", "", "errors are JSON"},
          },
      .details =
          "+N and -N end at the bounds of the log. A file has lines of topic, partition and position,\n"
          "parted by tabs or commas, as `group describe` prints them; partitions that it does not name\n"
          "stay where they are.",
      .examples = {"millrace group seek readers orders --to @2026-01-01T00:00Z --data-dir ./log",
                   "millrace group seek readers orders --to -100 --dry-run --server localhost:9092"},
      .run = Run,
  };
}

}  // namespace millrace
