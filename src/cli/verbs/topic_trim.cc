#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/parse/offset_choice.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"
#include "text/table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  auto text = arguments.Text("--before");
  if (!text) return Error(ErrorCode::kInvalidArgument, "topic trim needs --before", "Give an offset or @TIME.");
  MR_ASSIGN_OR_RETURN(OffsetChoice before, ParseOffsetChoice("--before", *text));
  MR_ASSIGN_OR_RETURN(auto only, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, only));
  if (before.kind == OffsetChoice::Kind::kOffset && partitions.size() > 1) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("an offset means something else in each of the {} partitions of {}", partitions.size(), topic.name),
        "Choose one with -p, or trim by @TIME.");
  }
  Table table({"TOPIC", "PARTITION", "LOG START"});
  for (const TopicPartition& partition : partitions) {
    MR_ASSIGN_OR_RETURN(Offset offset, ResolveOffset(*engine, partition, before));
    if (arguments.Has("--dry-run")) {
      MR_ASSIGN_OR_RETURN(const OffsetBounds bounds, VisibleBounds(*engine, partition));
      const Offset start = std::clamp(offset, bounds.log_start, bounds.end);
      session.Note(fmt::format("would forget {} records of {}/{}", start - bounds.log_start, topic.name,
                               partition.partition.value()));
      table.Add({Cell::Text(topic.name), Cell::Number(partition.partition.value()), Cell::Number(start.value())});
      continue;
    }
    MR_ASSIGN_OR_RETURN(Offset start, engine->DeleteRecords(partition, offset));
    table.Add({Cell::Text(topic.name), Cell::Number(partition.partition.value()), Cell::Number(start.value())});
  }
  session.out.Write(table);
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command TopicTrimCommand() {
  return {
      .words = "topic trim",
      .summary = "Forget the records before an offset or a time",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "its name"}},
      .flags =
          {
              {"--before", "WHERE", "OFFSET, @TIME, or latest for all: records before it go"},
              {"-p,--partition", "N", "in this partition only"},
              {"--dry-run", "", "tell what would happen, and change nothing"},
              {"--json", "", "errors are JSON"},
          },
      .details = "Prints topic, partition and the first offset that is left.",
      .examples = {"millrace topic trim orders --before @2026-01-01 --data-dir ./log",
                   "millrace topic trim orders -p 3 --before 4711 --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
