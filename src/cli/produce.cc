#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "base/try.h"
#include "cli/append_queue.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/data_location.h"
#include "cli/interrupt.h"
#include "cli/json_writer.h"
#include "cli/line_source.h"
#include "cli/pacing.h"
#include "cli/record_batches.h"
#include "cli/topic_settings.h"
#include "cli/topics.h"

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
  Producing(Session& session, const ProduceOptions& options, Engine& engine, Interrupt& interrupt,
            std::int32_t partitions)
      : session_(session),
        options_(options),
        interrupt_(interrupt),
        queue_(engine, options.append),
        batches_(engine, options.topic, partitions, options.partition, options.lines),
        source_({.descriptor = STDIN_FILENO, .interrupt = interrupt.descriptor(), .wake = queue_.descriptor()}) {
    if (options.rate) pacing_.emplace(*options.rate, std::chrono::steady_clock::now());
  }

  Result<ExitCode> Run() {
    auto read = ReadAll();
    queue_.Wait();
    auto shown = ShowAnswers();
    Result<void> failure = shown ? read : shown;
    if (!failure) {
      return failure.error().WithContext(
          fmt::format("produce {} stopped after {} records were stored", options_.topic, stored_));
    }
    return interrupt_.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
  }

 private:
  Result<void> ReadAll() {
    while (!interrupt_.Raised() && !session_.out.stopped()) {
      MR_ASSIGN_OR_RETURN(LineSource::Event event, source_.Next());
      if (event == LineSource::Event::kEnd || event == LineSource::Event::kInterrupted) return {};
      if (event == LineSource::Event::kLines) MR_TRY(Send(source_.lines()));
      MR_TRY(ShowAnswers());
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
      auto filled = batches_.Fill(lines, records_max);
      for (const RecordBatches::Batch& batch : batches_.batches()) {
        queue_.Append(batch.partition, batch.records);
        if (pacing_) pacing_->Sent(batch.records.size());
      }
      MR_TRY(std::move(filled));
      if (!lines.empty()) MR_TRY(ShowAnswers());
    }
    return {};
  }

  /// False: interrupted.
  bool WaitUntil(Pacing::Time due) {
    while (true) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
      if (left.count() <= 0) return true;
      pollfd entry{interrupt_.descriptor(), POLLIN, 0};
      if (::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) > 0) return false;
    }
  }

  /// The first failure ends everything: what comes after it would stand before it.
  Result<void> ShowAnswers() {
    Result<void> failure;
    for (const Result<AppendReceipt>& answer : queue_.Take()) {
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
  Interrupt& interrupt_;
  AppendQueue queue_;
  RecordBatches batches_;
  LineSource source_;
  std::optional<Pacing> pacing_;
  std::uint64_t stored_ = 0;
};

/// The one place where a verb makes a topic that nobody asked for in so many words.
Result<TopicDescription> FindOrCreateTopic(Session& session, Engine& engine, const ProduceOptions& options) {
  auto topic = FindTopic(engine, options.topic);
  if (topic || topic.error().code() != ErrorCode::kNotFound) return topic;
  TopicOptions topic_options;
  if (options.partition && options.partition->value() > 0) {
    return topic.error().WithHint("Create it with enough partitions: `millrace topic create -p N`.");
  }
  MR_TRY(engine.CreateTopic(options.topic, topic_options));
  session.Note(fmt::format("created topic {} ({} partition, durability {})", options.topic, topic_options.partitions,
                           DurabilityName(topic_options.durability)));
  return FindTopic(engine, options.topic);
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(ProduceOptions options, OptionsOf(session.arguments));
  Interrupt interrupt;
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session.arguments, Creation::kIfMissing));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, FindOrCreateTopic(session, *engine, options));
  if (options.partition) MR_TRY(PartitionsOf(topic, options.partition->value()));
  MR_ASSIGN_OR_RETURN(ExitCode code, Producing(session, options, *engine, interrupt, topic.options.partitions).Run());
  MR_TRY(engine->Close());
  return code;
}

}  // namespace

Command ProduceCommand() {
  return {
      .words = "produce",
      .summary = "Append lines of standard input to a topic, one record a line",
      .place = Place::kEngine,
      .positionals = {{"TOPIC", "made if it does not exist"}},
      .flags =
          {
              {"-k,--key", "KEY", "of every record that has none of its own"},
              {"--key-separator", "S", "the key is what stands before S in a line; without S in it, null"},
              {"-H,--header", "KEY=VALUE", "a header of every record", {}, Repeat::kMany},
              {"-f,--format", "PATTERN", "how a line reads: %k key, %v value, %T timestamp in ms, %h headers"},
              {"--json", "", "lines are JSON, as `consume --json` prints them; errors are JSON too"},
              {"--null", "S", "a value that reads S is null"},
              {"-p,--partition", "N", "all records go there; else by key (murmur2), or in turn"},
              {"-z,--compression", "CODEC", "of the batches", {"none", "gzip", "snappy", "lz4", "zstd"}},
              {"--acks",
               "LEVEL",
               "where the bytes are before a receipt (default: the topic's)",
               {"os", "disk", "object"}},
              {"--rate", "N/s", "at most so many records a second"},
              {"--batch", "N", "at most so many records an append (default: what one read brings)"},
              {"--receipts", "", "print a line of JSON for each append"},
              {"-v,--verbose", "", "the same as --receipts"},
          },
      .details =
          "A record is the bytes before a newline: a CR stays, an empty line is an empty value, and a last line\n"
          "without a newline counts. What is there goes at once as one append, when standard input would block.",
      .examples = {"printf 'a\\nb\\nc\\n' | millrace produce demo --data-dir ./log",
                   "millrace produce demo --data-dir ./log --key-separator : --acks disk --receipts < lines"},
      .run = Run,
  };
}

}  // namespace millrace
