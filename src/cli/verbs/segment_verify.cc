#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"
#include "inspect/segment_audit.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

struct Totals {
  std::uint64_t segments = 0, blocks = 0, batches = 0, records = 0, bytes = 0;
  std::vector<Error> damage;
};

void Add(Totals& totals, SegmentAudit audit) {
  ++totals.segments;
  totals.blocks += audit.check.blocks;
  totals.batches += audit.check.batches;
  totals.records += audit.check.records;
  totals.bytes += audit.segment.byte_size;
  for (Error& error : audit.damage) totals.damage.push_back(std::move(error));
}

void PrintJson(Session& session, const Totals& totals) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.verify.v1").Member("segments", totals.segments);
  json.Member("blocks", totals.blocks).Member("batches", totals.batches).Member("records", totals.records);
  json.Member("bytes", totals.bytes).Key("damage").BeginArray();
  for (const Error& error : totals.damage) {
    const DamagedRange& range = *error.damage();
    json.BeginObject().Member("topic", range.partition.topic).Member("partition", range.partition.partition.value());
    json.Member("begin", range.begin.value()).Member("end", range.end.value()).Member("place", range.place);
    json.Member("byte_begin", range.byte_begin).Member("byte_end", range.byte_end);
    json.Member("message", error.message()).EndObject();
  }
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  std::vector<TopicDescription> topics;
  if (std::string name = session.arguments.Positional("TOPIC"); name.empty()) {
    MR_ASSIGN_OR_RETURN(topics, engine->DescribeTopics());
  } else {
    MR_ASSIGN_OR_RETURN(TopicDescription topic, FindTopic(*engine, name));
    topics.push_back(std::move(topic));
  }
  Totals totals;
  for (const TopicDescription& topic : topics) {
    MR_ASSIGN_OR_RETURN(std::vector<SegmentDescription> segments, SegmentsOf(*engine, topic));
    for (const SegmentDescription& segment : segments) {
      MR_ASSIGN_OR_RETURN(SegmentAudit audit, AuditSegment(*engine, segment));
      Add(totals, std::move(audit));
    }
  }
  MR_TRY(CloseEngine(*engine));
  if (session.arguments.Has("--json")) {
    PrintJson(session, totals);
  } else {
    for (const Error& error : totals.damage) session.out.Write(fmt::format("damaged: {}\n", error.message()));
    session.Note(fmt::format("verified {} segments, {} blocks, {} batches, {} records, {}: {} damaged", totals.segments,
                             totals.blocks, totals.batches, totals.records, FormatBytes(totals.bytes),
                             totals.damage.size()));
  }
  return totals.damage.empty() ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace

Command SegmentVerifyCommand() {
  return {
      .words = "segment verify",
      .summary = "Read every byte in the object store and check it; exit 9 if any is damaged",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "only this one", Presence::kOptional}},
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .run = Run,
  };
}

}  // namespace millrace
