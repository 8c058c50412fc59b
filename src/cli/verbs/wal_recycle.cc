#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topic_json.h"
#include "text/units.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_TRY(engine->Recycle());
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine->DescribeTopics());
  MR_TRY(CloseEngine(*engine));
  TopicTotals left;
  for (const TopicDescription& topic : topics) {
    TopicTotals totals = TotalsOf(topic);
    left.bytes_local += totals.bytes_local;
    left.unsent += totals.unsent;
  }
  session.Note(fmt::format("dropped from this disk what the object store has; {} records ({}) are left here",
                           left.unsent, FormatBytes(left.bytes_local)));
  return ExitCode::kOk;
}

}  // namespace

Command WalRecycleCommand() {
  return {
      .words = "wal recycle",
      .summary = "Drop from this disk's log what is in the object store",
      .log_flags = LogFlags::kEngine,
      .flags = {{"--json", "", "errors are JSON"}},
      .run = Run,
  };
}

}  // namespace millrace
