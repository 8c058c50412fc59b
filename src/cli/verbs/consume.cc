#include <algorithm>
#include <memory>
#include <optional>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/explanation.h"
#include "cli/records/record_printer.h"
#include "cli/records/record_stream.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/consume_options.h"
#include "cli/verbs/group_reading.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

Result<std::vector<GroupPosition>> PositionsOf(Log& log, const std::string& group) {
  auto positions = log.DescribeGroup(group);
  if (!positions && positions.error().code() == ErrorCode::kNotFound) return std::vector<GroupPosition>();
  return positions;
}

Result<std::vector<StreamPart>> PartsOf(Session& session, Log& log, const ConsumeOptions& options) {
  std::vector<StreamPart> parts;
  std::vector<GroupPosition> positions;
  if (!options.group.empty() && !options.from) {
    MR_ASSIGN_OR_RETURN(positions, PositionsOf(log, options.group));
  }
  for (const std::string& name : options.topics) {
    MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(log, name));
    MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, options.partition));
    for (const TopicPartition& partition : partitions) {
      const auto found = std::ranges::find(positions, partition, &GroupPosition::partition);
      const auto stored = found == positions.end() ? std::nullopt : std::optional(found->position);
      MR_ASSIGN_OR_RETURN(StreamPart part, PartOf(session, log, options, partition, stored));
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

/// All that was asked for, by this process alone.
Result<void> ReadAlone(Session& session, Log& log, const RecordPrinter& printer, ConsumeOptions& options) {
  MR_ASSIGN_OR_RETURN(std::vector<StreamPart> parts, PartsOf(session, log, options));
  auto commit = [&](const StreamPart& part) { return log.SeekGroup(options.group, part.partition, part.position); };
  if (options.commit == CommitWhen::kPoll) options.stream.written = commit;

  const std::vector<StreamPart> begins = parts;
  RecordStream stream(session, log, printer, options.stream);
  Result<ExitCode> result = stream.Run(parts);
  // What has left the process is committed, whether the end was damage, a full disk or a reader who went away.
  for (std::size_t i = 0; options.commit == CommitWhen::kEnd && i < parts.size(); ++i) {
    const bool moved = parts[i].position != begins[i].position;
    if (moved || !session.out.stopped()) MR_TRY(commit(parts[i]));
  }
  if (session.arguments.Has("--explain")) session.err.Write(ExplanationJson(stream.explanation()));
  MR_TRY(std::move(result));
  return {};
}

/// Null: nobody shares this log, or the user has named the partition.
Result<std::unique_ptr<LogMember>> MemberOf(Log& log, const ConsumeOptions& options) {
  if (options.group.empty() || options.partition) return std::unique_ptr<LogMember>();
  for (const std::string& name : options.topics) MR_TRY(FindTopic(log, name));
  return log.OpenMember(options.group, options.topics);
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(ConsumeOptions options, ConsumeOptionsOf(session.arguments));
  MR_ASSIGN_OR_RETURN(RecordPrinter printer, RecordPrinter::Of(session.arguments));
  session.interrupt.AllowGrace();
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever, {"--explain", "--isolation"}));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<LogMember> member, MemberOf(*log, options));
  if (member != nullptr) {
    MR_TRY(GroupReading(session, *log, *member, printer, options).Run());
  } else {
    MR_TRY(ReadAlone(session, *log, printer, options));
  }
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
          "Over a server the consumers of a group, of whatever make, share the partitions of its topics\n"
          "out; with -p one reads by itself. --explain and --isolation are of a log in a directory.\n"
          "A time is like @2026-01-01T00:00Z, @2026-01-01T10, @1767225600000, @now, @-5m or @-1w.",
      .examples = {"millrace consume demo --data-dir ./log --json -n 3",
                   "millrace consume demo --data-dir ./log -g readers",
                   "millrace consume demo --server localhost:9092 -g readers --follow",
                   "millrace consume demo --data-dir ./log --from @2026-01-01T00:00Z --until 4711 -f '%o %k %v\\n'"},
      .run = Run,
  };
}

}  // namespace millrace
