#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/cursor_choice.h"
#include "cli/data_location.h"
#include "cli/record_printer.h"

namespace millrace {
namespace {

constexpr std::int64_t kPeekMax = 2'000;  // what one batch read gives

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const auto count, session.arguments.Integer("--count", {0, kPeekMax}));
  MR_ASSIGN_OR_RETURN(const RecordPrinter printer, RecordPrinter::Of(session.arguments));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session.arguments, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  if (!choice.exists)
    return Error(
        ErrorCode::kNotFound,
        fmt::format("{}/{} has no cursor {}", choice.partition.topic, choice.partition.partition.value(), choice.name),
        "`millrace cursor ls` lists what there is.");
  MR_ASSIGN_OR_RETURN(auto cursor, OpenChosen(session, *engine, choice, ReadConsistency::StrictlyAtOnce()));
  MR_ASSIGN_OR_RETURN(std::vector<Record> records, cursor->ReadBatch(UINT64_MAX, false));
  records.resize(std::min(records.size(), static_cast<std::size_t>(count.value_or(1))));
  for (const Record& record : records) {
    MR_ASSIGN_OR_RETURN(const RecordView view, ViewOf(record));
    printer.Append(session.out.buffer(), choice.partition, view);
    session.out.Written();
  }
  cursor.reset();
  MR_TRY(engine->Close());
  return ExitCode::kOk;
}

}  // namespace

Command CursorPeekCommand() {
  return {
      .words = "cursor peek",
      .summary = "Print the next records of a cursor; it stays where it is",
      .place = Place::kEngine,
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
