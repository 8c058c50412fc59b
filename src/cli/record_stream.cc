#include "cli/record_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/try.h"
#include "millrace/consumer.h"

namespace millrace {
namespace {

// One poll: what a commit covers, and what comes again if the process dies before it.
constexpr std::uint64_t kReadBytes = 1 << 20;

std::string Name(const TopicPartition& partition) {
  return fmt::format("{}/{}", partition.topic, partition.partition.value());
}

Error StoppedAt(const StreamPart& part, const Error& error) {
  Error told =
      error.WithContext(fmt::format("consume {} stopped at offset {}", Name(part.partition), part.position.value()));
  if (error.code() != ErrorCode::kCorruption) return told;
  return told.WithHint(
      fmt::format("Records before it were delivered. Check with `millrace segment verify {}`; go past it "
                  "with --skip-corrupt.",
                  part.partition.topic));
}

}  // namespace

RecordStream::RecordStream(Session& session, Engine& engine, Interrupt& interrupt, const RecordPrinter& printer,
                           StreamOptions options)
    : session_(session), engine_(engine), interrupt_(interrupt), printer_(printer), options_(std::move(options)) {}

bool RecordStream::Over() { return printed_ >= options_.records_max || session_.out.stopped() || interrupt_.Raised(); }

Result<ExitCode> RecordStream::Run(std::span<StreamPart> parts) {
  if (options_.follow) session_.out.LineByLine();
  while (!Over()) {
    bool some = false;
    for (StreamPart& part : parts) {
      if (Over()) break;
      MR_ASSIGN_OR_RETURN(Progress progress, Turn(part));
      some = some || progress == Progress::kSome;
    }
    if (some) continue;
    if (!options_.follow) break;
    MR_TRY(AwaitMore(parts));
  }
  session_.out.Flush();
  return interrupt_.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
}

Result<RecordStream::Progress> RecordStream::Turn(StreamPart& part) {
  if (part.end && part.position >= *part.end) return Progress::kNone;
  std::uint64_t wanted = options_.records_max - printed_;
  if (part.end) wanted = std::min(wanted, static_cast<std::uint64_t>(*part.end - part.position));
  ReadLimits limits{.bytes_max = kReadBytes, .records_max = wanted, .on_damage = options_.on_damage};
  auto read = engine_.Read(part.partition, part.position, limits);
  if (!read) {
    session_.out.Flush();
    return StoppedAt(part, read.error());
  }
  explanation_.Add(read->explanation);
  Print(part, *read);
  Progress progress = read->next > part.position ? Progress::kSome : Progress::kNone;
  // Where offsets have gaps a read may step over the end; the position does not.
  part.position = part.end ? std::min(read->next, *part.end) : read->next;
  if (progress == Progress::kSome && options_.written) {
    session_.out.Flush();
    if (!session_.out.stopped()) MR_TRY(options_.written(part));
  }
  return progress;
}

void RecordStream::Print(const StreamPart& part, const ReadResult& read) {
  for (const DamagedRange& gap : read.skipped) {
    session_.Note(fmt::format("skipped {} offsets [{}, {}): bytes [{}, {}) of {} are damaged", Name(part.partition),
                              gap.begin.value(), gap.end.value(), gap.byte_begin, gap.byte_end, gap.place));
  }
  for (const RecordView& record : read.records) {
    // Offsets may have gaps: a count of records reaches past an end that is an offset.
    if (part.end && record.offset >= *part.end) break;
    printer_.Append(session_.out.buffer(), part.partition, record);
    ++printed_;
    session_.out.Written();
  }
}

Result<void> RecordStream::AwaitMore(std::span<const StreamPart> parts) {
  session_.out.Flush();
  ConsumerOptions options;
  for (const StreamPart& part : parts) {
    if (!part.end) options.partitions.push_back(part.partition);
  }
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Consumer> consumer, engine_.OpenConsumer(std::move(options)));
  for (const StreamPart& part : parts) {
    if (!part.end) MR_TRY(consumer->Seek(part.partition, part.position));
  }
  InterruptWatch watch(interrupt_, [&consumer] { consumer->Wakeup(); });
  // The record it brings is read again by the stream itself, in the order of its turns.
  MR_TRY(consumer->Poll(1, std::chrono::hours(1)));
  return {};
}

}  // namespace millrace
