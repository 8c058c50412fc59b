#include <fmt/format.h>

#include <span>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/record_printer.h"
#include "cli/records/record_stream.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/cursor_choice.h"
#include "client/local_log.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBatchBytes = 1 << 20;
constexpr std::int64_t kPersistEveryDefault = 1'000;

struct ReadOptions {
  ReadConsistency consistency = ReadConsistency::AtLeastOnce(kPersistEveryDefault);
  std::uint64_t records_max = UINT64_MAX;
  bool skip_corrupt = false;
};

Result<ReadOptions> OptionsOf(const Arguments& arguments) {
  ReadOptions options;
  MR_ASSIGN_OR_RETURN(const auto count, arguments.Integer("--count", {0}));
  MR_ASSIGN_OR_RETURN(const auto every, arguments.Integer("--persist-every", {1, UINT32_MAX}));
  if (count) options.records_max = static_cast<std::uint64_t>(*count);
  if (every && arguments.Has("--strict"))
    return Error(ErrorCode::kInvalidArgument, "--strict persists every record before it is printed",
                 "Leave --persist-every out.");
  if (every) options.consistency = ReadConsistency::AtLeastOnce(static_cast<std::uint32_t>(*every));
  if (arguments.Has("--strict")) options.consistency = ReadConsistency::StrictlyAtOnce();
  options.skip_corrupt = arguments.Has("--skip-corrupt");
  return options;
}

/// Single records where their number is limited, so that none is taken that is not printed.
Result<std::vector<Record>> Take(Cursor& cursor, std::uint64_t records_max) {
  if (records_max == UINT64_MAX) return cursor.ReadBatch(kBatchBytes, true);
  std::vector<Record> records;
  MR_ASSIGN_OR_RETURN(auto record, cursor.ReadNext(true));
  if (record) records.push_back(*std::move(record));
  return records;
}

/// The position is on the disk before a line is given to standard output. False: the end of the log.
Result<bool> StrictTurn(Session& session, Cursor& cursor, const CursorChoice& choice, const RecordPrinter& printer,
                        const ReadOptions& options, std::uint64_t& left) {
  const Offset before = cursor.Position();
  auto records = Take(cursor, left);
  if (!records && options.skip_corrupt && records.error().damage() != nullptr) {
    MR_ASSIGN_OR_RETURN(const Offset after, cursor.SkipCorrupt());
    session.Note(fmt::format("skipped offsets [{}, {}) of {}/{}: {}", before.value(), after.value(),
                             choice.partition.topic, choice.partition.partition.value(), records.error().message()));
    return true;
  }
  if (!records) return std::move(records).error();
  for (const Record& record : *records) {
    MR_ASSIGN_OR_RETURN(const RecordView view, ViewOf(record));
    printer.Append(session.out.buffer(), choice.partition, view);
    session.out.Written();
    if (left != UINT64_MAX) --left;
  }
  session.out.Flush();
  return !records->empty();
}

Result<void> ReadStrictly(Session& session, Cursor& cursor, const CursorChoice& choice, const RecordPrinter& printer,
                          const ReadOptions& options) {
  std::uint64_t left = options.records_max;
  bool more = true;
  while (more && left > 0 && !session.out.stopped() && !session.interrupt.Stopped()) {
    MR_ASSIGN_OR_RETURN(more, StrictTurn(session, cursor, choice, printer, options, left));
  }
  return {};
}

/// Lines first, the position after them: it is moved to what has left the process and never beyond.
Result<void> ReadAtLeastOnce(Session& session, Engine& engine, Cursor& cursor, const CursorChoice& choice,
                             const RecordPrinter& printer, const ReadOptions& options) {
  StreamPart part{.partition = choice.partition, .position = cursor.Position()};
  Offset persisted = part.position;
  auto persist = [&](const StreamPart& moved) -> Result<void> {
    MR_TRY(cursor.Seek(moved.position));
    persisted = moved.position;
    return {};
  };
  StreamOptions stream{.records_max = options.records_max,
                       .on_damage = options.skip_corrupt ? OnDamage::kSkip : OnDamage::kFail,
                       .keep_positions = true,
                       .verb = "cursor read"};
  stream.written = [&](const StreamPart& moved) -> Result<void> {
    return moved.position - persisted >= options.consistency.persist_every ? persist(moved) : Result<void>();
  };
  std::span<StreamPart> parts(&part, 1);
  LocalLog log(engine);
  auto result = RecordStream(session, log, printer, std::move(stream)).Run(parts);
  if (part.position != persisted) MR_TRY(persist(part));
  if (!result) return result.error();
  return {};
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const ReadOptions options, OptionsOf(session.arguments));
  MR_ASSIGN_OR_RETURN(const RecordPrinter printer, RecordPrinter::Of(session.arguments));
  session.interrupt.AllowGrace();
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(const CursorChoice choice, ChooseCursor(*engine, session.arguments));
  MR_ASSIGN_OR_RETURN(auto cursor, OpenChosen(session, *engine, choice, options.consistency));
  Result<void> read = options.consistency.strict ? ReadStrictly(session, *cursor, choice, printer, options)
                                                 : ReadAtLeastOnce(session, *engine, *cursor, choice, printer, options);
  session.out.Flush();
  MR_TRY(cursor->Close());
  cursor.reset();
  if (!read && session.interrupt.Raised()) return ExitCode::kInterrupted;
  MR_TRY(std::move(read));
  MR_TRY(CloseEngine(*engine));
  return session.interrupt.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace

Command CursorReadCommand() {
  return {
      .words = "cursor read",
      .summary = "Print the next records of a cursor and move it, to the end of the log",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"TOPIC", "the topic"}, {"CURSOR", "its name; a new one begins at the earliest record"}},
      .flags =
          {
              {"-p,--partition", "N", "the cursor's partition (default 0)"},
              {"-n,--count", "N", "at most so many records"},
              {"--strict", "", "the position is on the disk before a record is printed: none comes twice"},
              {"--persist-every", "N", "after a crash fewer than so many come again, and the last ones (default 1000)"},
              {"-f,--format", "PATTERN", "as in `consume`"},
              {"--json", "", "a line of JSON for each record; errors are JSON too"},
              {"--skip-corrupt", "", "go past damage, and name what was left out"},
          },
      .examples = {"millrace cursor read jobs worker --data-dir ./log -n 1 --strict",
                   "millrace cursor read jobs audit --data-dir ./log --json"},
      .run = Run,
  };
}

}  // namespace millrace
