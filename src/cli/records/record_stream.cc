#include "cli/records/record_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/try.h"
#include "client/partition_name.h"
#include "inspect/status_check.h"

namespace millrace {
namespace {

// One poll: what a commit covers, and what comes again if the process dies before it.
constexpr std::uint64_t kReadBytes = 1 << 20;

bool AtEnd(const StreamPart& part) { return part.end && part.position >= *part.end; }

}  // namespace

RecordStream::RecordStream(Session& session, Log& log, const RecordPrinter& printer, StreamOptions options)
    : session_(session), log_(log), printer_(printer), options_(std::move(options)) {}

Error RecordStream::StoppedAt(const StreamPart& part, const Error& error) const {
  Error told = error.WithContext(
      fmt::format("{} {} stopped at offset {}", options_.verb, PartitionName(part.partition), part.position.value()));
  // Only what is known to be damaged, from here to there, can be gone past.
  if (error.code() != ErrorCode::kCorruption || error.damage() == nullptr) return told;
  return told.WithHint(
      fmt::format("Records before it were delivered. Check with `millrace segment verify {}`; go past it "
                  "with --skip-corrupt.",
                  part.partition.topic));
}

bool RecordStream::Over() {
  return printed_ >= options_.records_max || session_.out.stopped() || session_.interrupt.Stopped();
}

Result<ExitCode> RecordStream::Run(std::span<StreamPart> parts) {
  if (options_.follow) session_.out.LineByLine();
  session_.interrupt.WatchReader(session_.out.descriptor());
  while (!Over() && !Yields()) {
    bool some = false;
    for (StreamPart& part : parts) {
      if (Over() || Yields()) break;
      MR_ASSIGN_OR_RETURN(Progress progress, Turn(part));
      some = some || progress == Progress::kSome;
    }
    if (some || Yields()) continue;
    if (!options_.follow || std::ranges::all_of(parts, AtEnd)) break;
    MR_TRY(AwaitMore(parts));
  }
  session_.out.Flush();
  return session_.interrupt.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
}

Result<RecordStream::Progress> RecordStream::Turn(StreamPart& part) {
  if (AtEnd(part)) return Progress::kNone;
  std::uint64_t wanted = options_.records_max - printed_;
  if (part.end) wanted = std::min(wanted, static_cast<std::uint64_t>(*part.end - part.position));
  ReadLimits limits{.bytes_max = kReadBytes, .records_max = wanted, .on_damage = options_.on_damage};
  auto read = log_.Read(part.partition, part.position, limits);
  if (!read) {
    // A user who asked for a stop, or does not read any more, has no use for why a read ended early.
    if (session_.interrupt.Stopped()) return Progress::kNone;
    session_.out.Flush();
    return StoppedAt(part, read.error());
  }
  explanation_.Add(read->explanation);
  Print(part, *read);
  // Where offsets have gaps a read may step over the end; the position does not.
  const Offset next = part.end ? std::min(read->next, *part.end) : read->next;
  if (next == part.position) return Progress::kNone;
  MR_TRY(Written(part, next));
  return Progress::kSome;
}

Result<void> RecordStream::Written(StreamPart& part, Offset next) {
  if (!options_.keep_positions) {
    part.position = next;
    return {};
  }
  session_.out.Flush();
  Offset position = next;
  if (session_.out.stopped()) {
    // What was cut off was not read: the next reading begins with the first line that is not whole.
    position = part.position;
    const std::uint64_t taken = session_.out.taken();
    for (const Line& line : lines_) {
      if (line.output_end <= taken) position = line.next;
    }
  }
  if (position == part.position) return {};
  part.position = position;
  return options_.written ? options_.written(part) : Result<void>();
}

void RecordStream::Print(const StreamPart& part, const ReadResult& read) {
  lines_.clear();
  for (const DamagedRange& gap : read.skipped)
    session_.Note(fmt::format("skipped {} {}", PartitionName(part.partition), DamageInWords(gap)));
  for (const RecordView& record : read.records) {
    // Offsets may have gaps: a count of records reaches past an end that is an offset.
    if (part.end && record.offset >= *part.end) break;
    printer_.Append(session_.out.buffer(), part.partition, record);
    ++printed_;
    if (options_.keep_positions) lines_.push_back({session_.out.end(), record.offset + 1});
    session_.out.Written();
  }
}

Result<void> RecordStream::AwaitMore(std::span<const StreamPart> parts) {
  session_.out.Flush();
  std::vector<ReadRequest> places;
  for (const StreamPart& part : parts)
    if (!AtEnd(part)) places.push_back({part.partition, part.position});
  // Where the reader of the output cannot be watched, its leaving wakes no wait: the loop looks by itself.
  const bool woken = session_.interrupt.WatchReader(session_.out.descriptor());
  constexpr std::chrono::milliseconds kLong = std::chrono::hours(1), kBlind{1'000}, kYielding{500};
  MR_TRY(log_.AwaitMore(places, options_.yields ? kYielding : woken ? kLong : kBlind));
  session_.out.LookForReader();
  return {};
}

}  // namespace millrace
