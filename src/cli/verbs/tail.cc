#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/record_printer.h"
#include "cli/records/record_stream.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"

namespace millrace {
namespace {

struct LastRecord {
  TopicPartition partition;
  RecordView record;
};

/// The last `count` records of a partition: from a guess that offsets have no gaps, further back while they have.
Result<void> TakeLast(Log& log, const TopicPartition& partition, std::size_t count, Offset end,
                      std::vector<LastRecord>& last) {
  MR_ASSIGN_OR_RETURN(OffsetBounds bounds, log.Bounds(partition));
  for (std::int64_t back = static_cast<std::int64_t>(count);; back *= 2) {
    Offset begin = std::max(bounds.log_start, end - std::min(back, end - bounds.log_start));
    std::vector<LastRecord> found;
    for (Offset at = begin; at < end;) {
      MR_ASSIGN_OR_RETURN(ReadResult read, log.Read(partition, at, {}));
      for (RecordView& record : read.records) {
        if (record.offset < end) found.push_back({partition, std::move(record)});
      }
      if (read.next == at) break;
      at = read.next;
    }
    if (found.size() < count && begin > bounds.log_start) continue;
    std::size_t skip = found.size() > count ? found.size() - count : 0;
    std::move(found.begin() + static_cast<std::ptrdiff_t>(skip), found.end(), std::back_inserter(last));
    return {};
  }
}

Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  MR_ASSIGN_OR_RETURN(auto count, arguments.Integer("--count", {0, 1'000'000}));
  MR_ASSIGN_OR_RETURN(auto only, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(RecordPrinter printer, RecordPrinter::Of(arguments));
  session.interrupt.AllowGrace();
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const LogTopic topic, FindTopic(*log, arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(std::vector<TopicPartition> partitions, PartitionsOf(topic, only));

  std::size_t wanted = static_cast<std::size_t>(count.value_or(10));
  std::vector<LastRecord> last;
  std::vector<StreamPart> parts;
  for (const TopicPartition& partition : partitions) {
    MR_ASSIGN_OR_RETURN(OffsetBounds bounds, log->Bounds(partition));
    if (wanted > 0) MR_TRY(TakeLast(*log, partition, wanted, bounds.end, last));
    parts.push_back({.partition = partition, .position = bounds.end});
  }
  // Between partitions only time can say what came last; within one it is the offset.
  std::ranges::sort(last, {}, [&](const LastRecord& entry) {
    std::int64_t time = partitions.size() == 1 ? 0 : entry.record.timestamp_ms;
    return std::tuple(time, entry.partition.partition, entry.record.offset);
  });
  std::size_t skip = last.size() > wanted ? last.size() - wanted : 0;
  for (std::size_t i = skip; i < last.size(); ++i) {
    printer.Append(session.out.buffer(), last[i].partition, last[i].record);
    session.out.Written();
  }
  session.out.Flush();
  if (arguments.Has("--no-follow")) {
    MR_TRY(log->Close(Closing::kAfterUpkeep));
    return ExitCode::kOk;
  }
  RecordStream stream(session, *log, printer, {.follow = true, .verb = "tail"});
  MR_ASSIGN_OR_RETURN(ExitCode code, stream.Run(parts));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  return code;
}

}  // namespace

Command TailCommand() {
  return {
      .words = "tail",
      .summary = "Print the last records of a topic, then what comes",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "its name"}},
      .flags =
          {
              {"-n,--count", "N", "how many of the last ones (default 10)"},
              {"--no-follow", "", "end after those"},
              {"-p,--partition", "N", "of this partition only"},
              {"-f,--format", "PATTERN", "as in consume"},
              {"--json", "", "a line of JSON for each record; errors are JSON too"},
          },
      .examples = {"millrace tail demo --data-dir ./log -n 3 --no-follow",
                   "millrace tail demo --server localhost:9092"},
      .run = Run,
  };
}

}  // namespace millrace
