#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"
#include "inspect/segment_audit.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

void PrintJson(Session& session, const std::string& topic, const std::vector<SegmentDescription>& segments) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.segments.v1").Member("topic", topic).Key("segments").BeginArray();
  for (const SegmentDescription& segment : segments) {
    json.BeginObject().Member("partition", segment.partition.partition.value());
    json.Member("base", segment.base.value()).Member("end", segment.end.value()).Member("records", segment.records);
    json.Member("object", segment.object).Member("byte_begin", segment.byte_begin);
    json.Member("byte_size", segment.byte_size).Member("timestamp_min_ms", segment.timestamp_min_ms);
    json.Member("timestamp_max_ms", segment.timestamp_max_ms).Member("lost", segment.is_gap()).EndObject();
  }
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

/// As many cells as a segment has; no object, hence no place in one and no times.
std::vector<Cell> GapRow(const SegmentDescription& gap) {
  return {Cell::Number(gap.partition.partition.value()),
          Cell::Number(gap.base.value()),
          Cell::Number(gap.end.value()),
          Cell::Count(0),
          Cell::Bytes(0),
          Cell::Text("(lost)"),
          Cell::Number(0),
          Cell::Text("-"),
          Cell::Text("-")};
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, session.arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(std::vector<SegmentDescription> segments, SegmentsOf(*engine, topic));
  MR_TRY(CloseEngine(*engine));
  if (session.arguments.Has("--json")) {
    PrintJson(session, topic.name, segments);
    return ExitCode::kOk;
  }
  Table table({"PARTITION", "BASE", "END", "RECORDS", "SIZE", "OBJECT", "AT", "FIRST", "LAST"});
  for (const SegmentDescription& segment : segments) {
    if (segment.is_gap()) {
      table.Add(GapRow(segment));
      continue;
    }
    table.Add({Cell::Number(segment.partition.partition.value()), Cell::Number(segment.base.value()),
               Cell::Number(segment.end.value()), Cell::Count(segment.records), Cell::Bytes(segment.byte_size),
               Cell::Text(segment.object), Cell::Number(static_cast<std::int64_t>(segment.byte_begin)),
               Cell::Time(segment.timestamp_min_ms), Cell::Time(segment.timestamp_max_ms)});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command SegmentListCommand() {
  return {
      .words = "segment ls",
      .summary =
          "List a topic's segments: partition, base, end, records, bytes, object, place in it, first and last time",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "its name"}},
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
