#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/append_queue.h"
#include "cli/records/line_source.h"
#include "cli/records/pacing.h"
#include "cli/records/record_batches.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/topics.h"
#include "kafka/topic_settings.h"
#include "text/json_writer.h"

namespace millrace {
namespace {

struct ProduceOptions {
  std::string topic;
  std::optional<PartitionId> partition;
  LineOptions lines;
  AppendOptions append;
  std::optional<std::uint64_t> rate;
  std::size_t batch_records = SIZE_MAX;
  bool receipts = false;
  OnLongLine on_long_line = OnLongLine::kFail;
  Durability acks = Durability::kDisk;  // what they come to for this topic
};

Result<Compression> ParseCompression(std::string_view text) {
  if (text == "gzip") return Compression::kGzip;
  if (text == "snappy") return Compression::kSnappy;
  if (text == "lz4") return Compression::kLz4;
  if (text == "zstd") return Compression::kZstd;
  return Compression::kNone;
}

Result<ProduceOptions> OptionsOf(const Arguments& arguments) {
  ProduceOptions options;
  options.topic = arguments.Positional("TOPIC");
  MR_ASSIGN_OR_RETURN(auto partition, arguments.Integer("--partition", {0, INT32_MAX}));
  if (partition) options.partition = PartitionId(static_cast<std::int32_t>(*partition));
  MR_ASSIGN_OR_RETURN(options.lines, LineOptionsOf(arguments));
  MR_ASSIGN_OR_RETURN(options.append.compression, ParseCompression(arguments.Text("--compression").value_or("none")));
  if (auto acks = arguments.Text("--acks")) {
    MR_ASSIGN_OR_RETURN(options.append.durability, ParseDurability("--acks", *acks));
  }
  if (auto text = arguments.Text("--rate")) {
    options.rate = ParseRate(*text);
    if (!options.rate) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("--rate takes records a second, not \"{}\"", *text));
    }
  }
  MR_ASSIGN_OR_RETURN(auto batch, arguments.Integer("--batch", {1}));
  if (batch) options.batch_records = static_cast<std::size_t>(*batch);
  const std::string on_long_line = arguments.Text("--on-long-line").value_or("fail");
  if (on_long_line == "skip") options.on_long_line = OnLongLine::kSkip;
  if (on_long_line == "truncate") options.on_long_line = OnLongLine::kTruncate;
  options.receipts = arguments.Has("--receipts") || arguments.Has("--verbose");
  return options;
}

void AppendReceiptJson(std::string& out, std::string_view topic, const AppendReceipt& receipt) {
  JsonWriter json(out);
  json.BeginObject().Member("topic", topic).Member("partition", receipt.partition.value());
  json.Member("base_offset", receipt.base_offset.value()).Member("last_offset", receipt.last_offset.value());
  json.Member("timestamp_ms", receipt.timestamp_ms).Member("durability", DurabilityName(receipt.reached)).EndObject();
  out += '\n';
}

/// One run of `produce`: reads, batches, sends, and shows what came back.
class Producing {
 public:
  /// `engine`: of a log in a directory; null over a server.
  Producing(Session& session, const ProduceOptions& options, Engine* engine, const RecordBatches::Options& batches,
            LogAppender& appender, std::unique_ptr<AppendQueue> queue)
      : session_(session),
        options_(options),
        engine_(engine),
        appender_(appender),
        queue_(std::move(queue)),
        batches_(batches, options.lines),
        source_({.descriptor = STDIN_FILENO,
                 .interrupt = session.interrupt.descriptor(),
                 .wake = queue_->descriptor(),
                 .line_bytes_max = std::max<std::size_t>(16 << 20, 8 * batches.bounds.record_bytes_max)}) {
    if (options.rate) pacing_.emplace(*options.rate, Clock::now());
  }

  Result<ExitCode> Run() {
    auto read = ReadAll();
    auto answered = AwaitAnswers(AppendQueue::Open{});
    const AppendQueue::Open open = queue_->open();
    // What this verb waits for no longer is told its end: the queue outlives no open append.
    if (open.appends > 0) MR_TRY(appender_.Abandon());
    TellLongLines();
    Result<void> failure = answered ? std::move(read) : std::move(answered);
    if (!failure) {
      return failure.error().WithContext(
          fmt::format("produce {} stopped after {} records were stored", options_.topic, stored_));
    }
    if (open.records > 0) {
      session_.Note(fmt::format("{} records were stored; {} more {}", stored_, open.records,
                                engine_ != nullptr
                                    ? "are on this disk and wait for the object store: they are uploaded when the log "
                                      "is opened again"
                                    : "were sent, and were not acknowledged yet: they may be stored"));
    }
    return session_.interrupt.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
  }

 private:
  using Clock = std::chrono::steady_clock;
  // Below the engine's own budget: what waits, waits here, where it is told and can be interrupted.
  static constexpr std::uint64_t kOpenBytesMax = 32 << 20;
  static constexpr int kTickMs = 200;
  static constexpr std::chrono::seconds kFirstTold{5}, kToldEvery{30};

  Result<void> ReadAll() {
    while (!session_.interrupt.Stopped() && !session_.out.stopped()) {
      MR_ASSIGN_OR_RETURN(LineSource::Event event, source_.Next(queue_->open().appends > 0 ? kTickMs : -1));
      if (event == LineSource::Event::kEnd || event == LineSource::Event::kInterrupted) return {};
      if (event == LineSource::Event::kLines) MR_TRY(Send(source_.lines()));
      if (event == LineSource::Event::kLongLine) MR_TRY(Sent(batches_.FillCut(source_.lines())));
      MR_TRY(ShowAnswers());
      MR_TRY(TellWaiting());
    }
    return {};
  }

  Result<void> Send(std::string_view lines) {
    while (!lines.empty()) {
      std::size_t records_max = options_.batch_records;
      if (pacing_) {
        records_max = std::min(records_max, pacing_->slice());
        if (!WaitUntil(pacing_->due())) return {};
      }
      // What stands before a wrong line is stored, wherever the reads happened to be cut.
      MR_TRY(Sent(batches_.Fill(lines, records_max)));
      if (!lines.empty()) MR_TRY(ShowAnswers());
      MR_TRY(AwaitAnswers({.appends = SIZE_MAX, .bytes = kOpenBytesMax}));
      if (session_.interrupt.Stopped()) return {};
    }
    return {};
  }

  /// Sends what was filled; then `filled`.
  Result<void> Sent(Result<void> filled) {
    for (const RecordBatches::Batch& batch : batches_.batches()) {
      queue_->Append(batch.partition, batch.records, batch.bytes);
      if (pacing_) pacing_->Sent(batch.records.size());
    }
    return filled;
  }

  /// Until no more than `open` has no answer. Ends early when nothing is to be waited for: interrupted before the
  /// object store answered, or it refuses for good.
  Result<void> AwaitAnswers(AppendQueue::Open open) {
    while (true) {
      MR_TRY(ShowAnswers());
      const AppendQueue::Open now = queue_->open();
      if (now.appends <= open.appends && now.bytes <= open.bytes) return ShowAnswers();
      // A disk answers soon, and what was begun there is finished.
      if (session_.interrupt.Raised() && options_.acks == Durability::kObject) return {};
      MR_TRY(TellWaiting());
      pollfd answered{queue_->descriptor(), POLLIN, 0};
      (void)::poll(&answered, 1, kTickMs);
    }
  }

  /// Tells the user after a while what the verb waits for; an error: what it waits for cannot come.
  Result<void> TellWaiting() {
    const auto now = Clock::now();
    const AppendQueue::Open open = queue_->open();
    if (open.appends == 0) waiting_since_.reset();
    if (open.appends == 0 || !waiting_since_) {
      if (open.appends > 0) waiting_since_ = now;
      next_told_ = now + kFirstTold;
      return {};
    }
    std::optional<BackgroundFailure> failure;
    if (options_.acks == Durability::kObject && engine_ != nullptr) failure = engine_->Stats().upload_failure;
    if (failure && !failure->error.retryable()) {
      return failure->error.WithContext(
          fmt::format("{} records are on this disk, and the object store does not take them", open.records));
    }
    if (now < next_told_) return {};
    next_told_ = now + kToldEvery;
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *waiting_since_).count();
    const std::string_view place = engine_ == nullptr                     ? "server"
                                   : options_.acks == Durability::kObject ? "object store"
                                                                          : "disk";
    session_.Note(fmt::format("waiting for the {} for {} s with {} records{}", place, seconds, open.records,
                              failure ? fmt::format(": {}", failure->error.message()) : ""));
    return {};
  }

  void TellLongLines() {
    const auto [count, first] = batches_.long_lines();
    if (count == 0) return;
    session_.Note(fmt::format("{} lines were too long and were {} (the first is line {})", count,
                              options_.on_long_line == OnLongLine::kSkip ? "left out" : "cut", first));
  }

  /// False: the user asked for a stop.
  bool WaitUntil(Pacing::Time due) {
    while (true) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
      if (session_.interrupt.Stopped()) return false;
      if (left.count() <= 0) return true;
      pollfd entry{session_.interrupt.descriptor(), POLLIN, 0};
      (void)::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    }
  }

  /// The first failure ends everything: what comes after it would stand before it.
  Result<void> ShowAnswers() {
    Result<void> failure;
    for (const Result<AppendReceipt>& answer : queue_->Take()) {
      waiting_since_.reset();
      if (!answer) {
        if (failure) failure = answer.error();
        continue;
      }
      stored_ += static_cast<std::uint64_t>(answer->last_offset - answer->base_offset + 1);
      if (!options_.receipts) continue;
      AppendReceiptJson(session_.out.buffer(), options_.topic, *answer);
      session_.out.Flush();
    }
    return failure;
  }

  Session& session_;
  const ProduceOptions& options_;
  Engine* const engine_;
  LogAppender& appender_;
  const std::unique_ptr<AppendQueue> queue_;
  RecordBatches batches_;
  LineSource source_;
  std::optional<Pacing> pacing_;
  std::uint64_t stored_ = 0;
  std::optional<Clock::time_point> waiting_since_;  // the last answer, or the first append after it
  Clock::time_point next_told_;
};

/// Where records without a key go first: batches of many short runs spread over the partitions.
std::int32_t FirstKeyless(std::int32_t partitions) {
  return static_cast<std::int32_t>(std::random_device{}() % static_cast<std::uint32_t>(partitions));
}

/// The one place where a verb makes a topic that the user did not ask for in so many words.
Result<LogTopic> FindOrCreateTopic(Session& session, Log& log, const ProduceOptions& options) {
  auto topic = FindTopic(log, options.topic);
  if (topic || topic.error().code() != ErrorCode::kNotFound) return topic;
  if (options.partition && options.partition->value() > 0) {
    return topic.error().WithHint("Create it with enough partitions: `millrace topic create -p N`.");
  }
  MR_TRY(log.CreateTopic(options.topic, {}));
  MR_ASSIGN_OR_RETURN(LogTopic made, FindTopic(log, options.topic));
  session.Note(fmt::format("created topic {}", NewTopicInWords(made)));
  return made;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(ProduceOptions options, OptionsOf(session.arguments));
  session.interrupt.AllowGrace();
  if (options.receipts) session.interrupt.WatchReader(session.out.descriptor());
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kIfMissing));
  MR_ASSIGN_OR_RETURN(const LogTopic topic, FindOrCreateTopic(session, *log, options));
  if (options.partition) MR_TRY(PartitionsOf(topic, options.partition->value()));
  options.acks = options.append.durability.value_or(topic.durability.value_or(Durability::kDisk));
  const bool local = log->engine() != nullptr;
  const RecordBatches::Options batches{.topic = options.topic,
                                       .partitions = topic.options.partitions,
                                       .partition = options.partition,
                                       .first_keyless = FirstKeyless(topic.options.partitions),
                                       .on_long_line = options.on_long_line,
                                       .bounds = topic.bounds,
                                       .raise_limit = local ? "--set engine.record_bytes_max raises the limit"
                                                            : "max.message.bytes is the server's limit"};
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<LogAppender> appender, log->OpenAppender(topic, options.append));
  MR_ASSIGN_OR_RETURN(auto queue, AppendQueue::Make(*appender));
  MR_ASSIGN_OR_RETURN(ExitCode code,
                      Producing(session, options, log->engine(), batches, *appender, std::move(queue)).Run());
  if (code != ExitCode::kInterrupted) MR_TRY(log->Close(Closing::kAfterUpkeep));
  return code;
}

}  // namespace

Command ProduceCommand() {
  return {
      .words = "produce",
      .summary = "Append lines of standard input to a topic, one record a line",
      .log_flags = LogFlags::kLog,
      .positionals = {{"TOPIC", "made if it does not exist"}},
      .flags =
          {
              {"-k,--key", "KEY", "of every record that has none of its own"},
              {"--key-separator", "S", "the key is what stands before S in a line; without S in it, null"},
              {"-H,--header", "KEY=VALUE", "a header of every record", {}, Repeat::kMany},
              {"-f,--format", "PATTERN",
               "how a line reads: %k key, %v value, %T timestamp in ms, %Z ISO time, %h headers"},
              {"--json", "", "lines are JSON, as `consume --json` prints them; errors are JSON too"},
              {"--null", "S", "a value that reads S is null"},
              {"-p,--partition", "N", "all records go there; else by key (murmur2), or in turn"},
              {"-z,--compression", "CODEC", "of the batches", {"none", "gzip", "snappy", "lz4", "zstd"}},
              {"--acks",
               "LEVEL",
               "where the bytes are before a receipt (default: the topic's; a server gives at most the topic's)",
               {"os", "disk", "object"}},
              {"--rate", "N/s", "at most so many records a second"},
              {"--batch", "N", "at most so many records an append (default: what one read brings)"},
              {"--on-long-line",
               "WHAT",
               "with a line that is longer than a record may be: fail (default), skip, truncate",
               {"fail", "skip", "truncate"}},
              {"--receipts", "", "print a line of JSON for each append"},
              {"-v,--verbose", "", "the same as --receipts"},
          },
      .details =
          "A record is the bytes before a newline: a CR stays, an empty line is an empty value, and a last line\n"
          "without a newline counts. What is there goes at once as one append, when standard input would block.",
      .examples = {"printf 'a\\nb\\nc\\n' | millrace produce demo --data-dir ./log",
                   "millrace produce demo --data-dir ./log --key-separator : --acks disk --receipts < lines",
                   "millrace produce demo --server localhost:9092 -z zstd < lines"},
      .run = Run,
  };
}

}  // namespace millrace
