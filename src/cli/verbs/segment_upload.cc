#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "text/units.h"

namespace millrace {
namespace {

Result<TopicTotals> Totals(Engine& engine) {
  TopicTotals sum;
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine.DescribeTopics());
  for (const TopicDescription& topic : topics) {
    TopicTotals totals = TotalsOf(topic);
    sum.records += totals.records;
    sum.unsent += totals.unsent;
    sum.segments += totals.segments;
    sum.bytes_object += totals.bytes_object;
  }
  return sum;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(TopicTotals before, Totals(*engine));
  MR_TRY(engine->Upload());
  MR_ASSIGN_OR_RETURN(TopicTotals after, Totals(*engine));
  MR_TRY(CloseEngine(*engine));
  std::uint64_t sent = before.unsent > after.unsent ? before.unsent - after.unsent : 0;
  session.Note(fmt::format("uploaded {} records; the object store now holds {} in {} segments", sent,
                           FormatBytes(after.bytes_object), after.segments));
  return ExitCode::kOk;
}

}  // namespace

Command SegmentUploadCommand() {
  return {
      .words = "segment upload",
      .summary = "Put everything acknowledged so far into the object store",
      .log_flags = LogFlags::kEngine,
      .flags = {{"--json", "", "errors are JSON"}},
      .run = Run,
  };
}

}  // namespace millrace
