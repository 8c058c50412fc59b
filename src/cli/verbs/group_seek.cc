#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/parse/offset_choice.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

/// A position outside the log would only be moved again by the next reader.
Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  std::string group = arguments.Positional("GROUP");
  if (group.empty()) return Error(ErrorCode::kInvalidArgument, "a group's name is not empty");
  auto text = arguments.Text("--to");
  if (!text) {
    return Error(ErrorCode::kInvalidArgument, "group seek needs --to", "Give earliest, latest, an offset or @TIME.");
  }
  MR_ASSIGN_OR_RETURN(OffsetChoice to, ParseOffsetChoice("--to", *text));
  MR_ASSIGN_OR_RETURN(auto only, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, only));
  std::vector<Offset> positions;
  for (const TopicPartition& partition : partitions) {
    MR_ASSIGN_OR_RETURN(Offset position, ResolveOffset(*engine, partition, to));
    MR_TRY(CheckWithin(*engine, partition, position));
    positions.push_back(position);
  }
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const bool dry_run = arguments.Has("--dry-run");
    if (!dry_run) MR_TRY(engine->SeekGroup(group, partitions[i], positions[i]));
    session.Note(fmt::format("group {} {} at offset {} of {}/{}", group, dry_run ? "would go on" : "goes on",
                             positions[i].value(), topic.name, partitions[i].partition.value()));
  }
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command GroupSeekCommand() {
  return {
      .words = "group seek",
      .summary = "Move a group's position in a topic",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"GROUP", "its name; a new one is fine"}, {"TOPIC", "the topic"}},
      .flags =
          {
              {"--to", "WHERE", "earliest, latest, an offset or @TIME"},
              {"-p,--partition", "N", "in this partition only"},
              {"--dry-run", "", "tell what would happen, and change nothing"},
              {"--json", "", "errors are JSON"},
          },
      .examples = {"millrace group seek readers orders --to @2026-01-01T00:00Z --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
