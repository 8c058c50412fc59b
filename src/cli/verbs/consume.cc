#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/parse/offset_choice.h"
#include "cli/records/explanation.h"
#include "cli/records/record_printer.h"
#include "cli/records/record_stream.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

enum class CommitWhen { kPoll, kEnd, kNone };

struct ConsumeOptions {
  std::vector<std::string> topics;
  std::optional<std::int64_t> partition;
  std::string group;
  std::optional<OffsetChoice> from, until;
  CommitWhen commit = CommitWhen::kNone;
  StreamOptions stream;
};

Result<std::optional<OffsetChoice>> ChoiceOf(const Arguments& arguments, std::string_view flag) {
  auto text = arguments.Text(flag);
  if (!text) return std::optional<OffsetChoice>();
  MR_ASSIGN_OR_RETURN(OffsetChoice choice, ParseOffsetChoice(flag, *text));
  return std::optional(choice);
}

CommitWhen CommitOf(const Arguments& arguments) {
  if (!arguments.Has("--group")) return CommitWhen::kNone;
  std::string text = arguments.Text("--commit").value_or("poll");
  return text == "end" ? CommitWhen::kEnd : text == "none" ? CommitWhen::kNone : CommitWhen::kPoll;
}

Result<ConsumeOptions> OptionsOf(const Arguments& arguments) {
  ConsumeOptions options;
  options.topics = arguments.Positionals("TOPIC");
  options.group = arguments.Text("--group").value_or("");
  if (arguments.Has("--group") && options.group.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a group's name is not empty");
  }
  if (arguments.Has("--commit") && options.group.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--commit needs a group", "Name one with -g.");
  }
  MR_ASSIGN_OR_RETURN(options.partition, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(options.from, ChoiceOf(arguments, "--from"));
  MR_ASSIGN_OR_RETURN(options.until, ChoiceOf(arguments, "--until"));
  options.commit = CommitOf(arguments);
  MR_ASSIGN_OR_RETURN(auto count, arguments.Integer("--count", {0}));
  if (count) options.stream.records_max = static_cast<std::uint64_t>(*count);
  options.stream.follow = arguments.Has("--follow");
  if (arguments.Has("--skip-corrupt")) options.stream.on_damage = OnDamage::kSkip;
  return options;
}

/// Where the group left off; none if it never was here. A position that is gone goes to the earliest there is.
Result<std::optional<Offset>> GroupStart(Session& session, Engine& engine, const std::vector<GroupPosition>& positions,
                                         const TopicPartition& partition, std::string_view group) {
  auto found = std::ranges::find(positions, partition, &GroupPosition::partition);
  if (found == positions.end()) return std::optional<Offset>();
  MR_ASSIGN_OR_RETURN(OffsetBounds bounds, VisibleBounds(engine, partition));
  if (found->position >= bounds.log_start && found->position <= bounds.end) return std::optional(found->position);
  session.Note(fmt::format("group {} was at offset {} of {}/{}, which is not in [{}, {}] any more: going on at {}",
                           group, found->position.value(), partition.topic, partition.partition.value(),
                           bounds.log_start.value(), bounds.end.value(), bounds.log_start.value()));
  return std::optional(bounds.log_start);
}

Result<std::vector<GroupPosition>> PositionsOf(Engine& engine, const std::string& group) {
  auto positions = engine.DescribeGroup(group);
  if (!positions && positions.error().code() == ErrorCode::kNotFound) return std::vector<GroupPosition>();
  return positions;
}

/// A group is of a log in a directory: over a server it was refused.
Result<std::vector<StreamPart>> PartsOf(Session& session, Log& log, const ConsumeOptions& options) {
  std::vector<StreamPart> parts;
  std::vector<GroupPosition> positions;
  if (!options.group.empty()) {
    MR_ASSIGN_OR_RETURN(positions, PositionsOf(*log.engine(), options.group));
  }
  std::set<std::string> seen;  // a topic named twice is read once
  for (const std::string& name : options.topics) {
    if (!seen.insert(name).second) continue;
    MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(log, name));
    MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, options.partition));
    for (const TopicPartition& partition : partitions) {
      StreamPart part{.partition = partition};
      std::optional<Offset> start;
      if (!options.from && !options.group.empty()) {
        MR_ASSIGN_OR_RETURN(start, GroupStart(session, *log.engine(), positions, partition, options.group));
      }
      if (!start) {
        MR_ASSIGN_OR_RETURN(start, ResolveOffset(log, partition, options.from.value_or(OffsetChoice{})));
      }
      part.position = *start;
      if (options.until) {
        MR_ASSIGN_OR_RETURN(part.end, ResolveOffset(log, partition, *options.until));
      }
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(ConsumeOptions options, OptionsOf(session.arguments));
  MR_ASSIGN_OR_RETURN(RecordPrinter printer, RecordPrinter::Of(session.arguments));
  session.interrupt.AllowGrace();
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log,
                      OpenLog(session, Creation::kNever, {"--group", "--explain", "--isolation"}));
  MR_ASSIGN_OR_RETURN(std::vector<StreamPart> parts, PartsOf(session, *log, options));
  auto commit = [&](const StreamPart& part) {
    return log->engine()->SeekGroup(options.group, part.partition, part.position);
  };
  options.stream.keep_positions = options.commit != CommitWhen::kNone;
  if (options.commit == CommitWhen::kPoll) options.stream.written = commit;

  const std::vector<StreamPart> begins = parts;
  RecordStream stream(session, *log, printer, options.stream);
  Result<ExitCode> result = stream.Run(parts);
  // What has left the process is committed, whether the end was damage, a full disk or a reader who went away.
  for (std::size_t i = 0; options.commit == CommitWhen::kEnd && i < parts.size(); ++i) {
    const bool moved = parts[i].position != begins[i].position;
    if (moved || !session.out.stopped()) MR_TRY(commit(parts[i]));
  }
  if (session.arguments.Has("--explain")) session.err.Write(ExplanationJson(stream.explanation()));
  MR_TRY(std::move(result));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return session.interrupt.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace

Command ConsumeCommand() {
  return {
      .words = "consume",
      .summary = "Print the records of topics, to the end of the log",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "one or more", Presence::kRequired, Repeat::kMany}},
      .flags =
          {
              {"-g,--group", "GROUP", "go on where this group left off, and commit"},
              {"--from", "WHERE",
               "earliest, latest, an offset or @TIME (default: the group's position, else earliest)"},
              {"--until", "WHERE", "the same; this record is not printed any more"},
              {"-n,--count", "N", "at most so many records"},
              {"--follow", "", "wait for more at the end of the log"},
              {"-p,--partition", "N", "of this partition only"},
              {"-f,--format", "PATTERN",
               "%t topic, %p partition, %o offset, %T timestamp, %Z ISO time, %k key, %v value, %h headers, "
               "%K %V lengths, \\n \\t \\0 \\xNN"},
              {"--json", "", "a line of JSON for each record; errors are JSON too"},
              {"--commit",
               "WHEN",
               "after what was printed is written: poll (default), end, none",
               {"poll", "end", "none"}},
              {"--isolation",
               "LEVEL",
               "for topics with transactions; there are none in a directory yet",
               {"read_uncommitted", "read_committed"}},
              {"--explain", "", "tell on standard error where the bytes came from"},
              {"--skip-corrupt", "", "go past damage, and name what was left out"},
          },
      .details =
          "Without -f and --json a record is its value and a newline. A commit never passes what was printed.\n"
          "Groups, --explain and --isolation are of a log in a directory, and refused over a server.\n"
          "A time is like @2026-01-01T00:00Z, @2026-01-01T10, @1767225600000, @now, @-5m or @-1w.",
      .examples = {"millrace consume demo --data-dir ./log --json -n 3",
                   "millrace consume demo --data-dir ./log -g readers",
                   "millrace consume demo --server localhost:9092 --follow",
                   "millrace consume demo --data-dir ./log --from @2026-01-01T00:00Z --until 4711 -f '%o %k %v\\n'"},
      .run = Run,
  };
}

}  // namespace millrace
