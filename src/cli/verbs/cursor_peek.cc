#include <algorithm>
#include <cstddef>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/record_printer.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/cursor_choice.h"

namespace millrace {
namespace {

constexpr std::int64_t kPeekMax = 2'000;

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const auto count, session.arguments.Integer("--count", {0, kPeekMax}));
  MR_ASSIGN_OR_RETURN(const RecordPrinter printer, RecordPrinter::Of(session.arguments));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  MR_TRY(RequireCursor(choice));
  // Past the cursor, which opening would make a change of: a log that can only be read has one too.
  MR_ASSIGN_OR_RETURN(const PartitionOffsets offsets, engine->Offsets(choice.partition));
  Offset at = std::max(choice.position, offsets.log_start);
  if (at != choice.position) NoteCorrected(session, choice, choice.position, at);
  for (auto left = static_cast<std::size_t>(count.value_or(1)); left > 0;) {
    MR_ASSIGN_OR_RETURN(const ReadResult read, engine->Read(choice.partition, at, {.records_max = left}));
    if (read.records.empty()) break;
    for (const RecordView& record : read.records) {
      printer.Append(session.out.buffer(), choice.partition, record);
      session.out.Written();
    }
    left -= read.records.size();
    at = read.next;
  }
  MR_TRY(CloseEngine(*engine));
  return ExitCode::kOk;
}

}  // namespace

Command CursorPeekCommand() {
  return {
      .words = "cursor peek",
      .summary = "Print the next records of a cursor; it stays where it is",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "the topic"}, {"CURSOR", "its name"}},
      .flags =
          {
              {"-p,--partition", "N", "the cursor's partition (default 0)"},
              {"-n,--count", "N", "so many records (default 1, at most 2000)"},
              {"-f,--format", "PATTERN", "as in `consume`"},
              {"--json", "", "a line of JSON for each record; errors are JSON too"},
          },
      .examples = {"millrace cursor peek jobs worker --data-dir ./log"},
      .run = Run,
  };
}

}  // namespace millrace
