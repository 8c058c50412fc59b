#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "cli/verbs/topics.h"
#include "inspect/segment_audit.h"
#include "inspect/status_check.h"
#include "kafka/topic_settings.h"
#include "text/table.h"
#include "text/units.h"

namespace millrace {
namespace {

std::string_view DurabilityInWords(Durability durability) {
  switch (durability) {
    case Durability::kOs:
      return "os: a receipt means the operating system has the bytes";
    case Durability::kDisk:
      return "disk: a receipt means the bytes are synced to this disk";
    case Durability::kObject:
      break;
  }
  return "object: a receipt means the bytes are in the object store";
}

/// Damage that a segment row has told since: recovery finds it no more once the WAL is recycled.
Result<void> AddGaps(Engine& engine, TopicDescription& topic) {
  for (PartitionDescription& partition : topic.partitions) {
    if (partition.segments == 0) continue;
    MR_ASSIGN_OR_RETURN(const auto segments, engine.DescribeSegments({topic.name, partition.partition}));
    for (const SegmentDescription& segment : segments)
      if (segment.is_gap()) partition.damage.push_back(LostRange(segment));
  }
  return {};
}

/// What a server does not tell.
Cell Untold() { return Cell::Text("-"); }

/// What waits, fails or is damaged, by partition; nothing for a topic that is well.
void AddTroubles(Table& table, const TopicDescription& topic) {
  auto add = [&](std::string_view name, const PartitionDescription& partition, std::string_view text) {
    table.Add({Cell::Text(name), Cell::Text(fmt::format("partition {}: {}", partition.partition.value(), text))});
  };
  for (const PartitionDescription& partition : topic.partitions) {
    if (partition.broken) add("broken", partition, partition.broken->message());
    for (const DamagedRange& range : partition.damage) add("damage", partition, DamageInWords(range));
    if (partition.upload_failure) {
      add("upload_failure", partition,
          fmt::format("{}; {} wait", FailureInWords(*partition.upload_failure),
                      FormatBytes(partition.upload_pending_bytes)));
    }
  }
}

void PrintSummary(Session& session, const LogTopic& topic) {
  const TopicTotals totals = TotalsOf(topic);
  const bool told = topic.detail == TopicDetail::kEngine;
  Table table({"", ""});
  table.Add({Cell::Text("name"), Cell::Text(topic.name)});
  table.Add({Cell::Text("id"), topic.id.empty() ? Untold() : Cell::Text(topic.id)});
  table.Add({Cell::Text("partitions"), Cell::Count(topic.partitions.size())});
  table.Add({Cell::Text("records"), Cell::Count(totals.records)});
  for (const auto& [key, value] : topic.settings) table.Add({Cell::Text(key), Cell::Text(value)});
  Cell durability = topic.durability ? Cell::Text(DurabilityName(*topic.durability)) : Untold();
  if (topic.durability) durability.pretty = DurabilityInWords(*topic.durability);
  table.Add({Cell::Text("durability"), durability});
  for (auto& [name, cell] : {std::pair("bytes_local", Cell::Bytes(totals.bytes_local)),
                             std::pair("bytes_object", Cell::Bytes(totals.bytes_object)),
                             std::pair("segments", Cell::Count(totals.segments))}) {
    table.Add({Cell::Text(name), told ? cell : Untold()});
  }
  AddTroubles(table, topic);
  session.out.Write(table);
}

void PrintPartitions(Session& session, const LogTopic& topic) {
  const auto of_engine = [&](Offset offset) {
    return topic.detail == TopicDetail::kEngine ? Cell::Number(offset.value()) : Untold();
  };
  Table table({"PARTITION", "LOG START", "HOT START", "TIERED END", "DURABLE END", "LOG END"});
  for (const PartitionDescription& partition : topic.partitions) {
    const PartitionOffsets& offsets = partition.offsets;
    table.Add({Cell::Number(partition.partition.value()), Cell::Number(offsets.log_start.value()),
               of_engine(offsets.hot_start), of_engine(offsets.tiered_end), of_engine(offsets.durable_end),
               Cell::Number(offsets.log_end.value())});
  }
  session.out.Write(table);
}

void PrintStorage(Session& session, const LogTopic& topic) {
  Table table({"PARTITION", "LOCAL", "OBJECTS", "SEGMENTS", "NOT UPLOADED"});
  for (const PartitionDescription& partition : topic.partitions) {
    if (topic.detail != TopicDetail::kEngine) {
      table.Add({Cell::Number(partition.partition.value()), Untold(), Untold(), Untold(), Untold()});
      continue;
    }
    auto waiting = static_cast<std::uint64_t>(partition.offsets.log_end - partition.offsets.tiered_end);
    table.Add({Cell::Number(partition.partition.value()), Cell::Bytes(partition.bytes_local),
               Cell::Bytes(partition.bytes_object), Cell::Count(partition.segments), Cell::Count(waiting)});
  }
  session.out.Write(table);
}

Result<ExitCode> Run(Session& session) {
  const Arguments& arguments = session.arguments;
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(LogTopic topic, FindTopic(*log, arguments.Positional("TOPIC")));
  if (log->engine() != nullptr) MR_TRY(AddGaps(*log->engine(), topic));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  if (arguments.Has("--json")) {
    session.out.Write(TopicDocument(topic));
    return ExitCode::kOk;
  }
  bool partitions = arguments.Has("--partitions"), storage = arguments.Has("--storage");
  if (!partitions && !storage) PrintSummary(session, topic);
  if (partitions) PrintPartitions(session, topic);
  if (storage) PrintStorage(session, topic);
  return ExitCode::kOk;
}

}  // namespace

Command TopicDescribeCommand() {
  return {
      .words = "topic describe",
      .summary = "Tell a topic's settings, offsets and where its bytes are",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "its name"}},
      .flags =
          {
              {"--partitions", "", "a line for each partition: log start, hot start, tiered end, durable end, log end"},
              {"--storage", "",
               "a line for each partition: bytes on this disk and in the object store, segments, offsets "
               "not uploaded"},
              {"--json", "", "all of it as one JSON document; errors are JSON too"},
          },
      .details =
          "A server tells partitions, their first offset and the end that readers see, and settings. What else stands\n"
          "here only the engine knows: over a server it is - in text, and absent from JSON.",
      .examples = {"millrace topic describe orders --storage --data-dir ./log",
                   "millrace topic describe orders --partitions --server localhost:9092"},
      .run = Run,
  };
}

}  // namespace millrace
