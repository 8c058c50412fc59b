#include "cli/verbs/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/try.h"
#include "millrace/consumer.h"

namespace millrace {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

const std::string kTopic = "bench";
constexpr std::uint64_t kReadBytes = 1 << 20;

TopicPartition BenchPartition() { return {kTopic, PartitionId(0)}; }

std::uint64_t Elapsed(SteadyClock::time_point since) {
  return static_cast<std::uint64_t>(nanoseconds(SteadyClock::now() - since).count());
}

/// When operations are due, over all threads: one line of times that no thread's slowness shifts.
class Schedule {
 public:
  Schedule(const WorkloadOptions& options, const Interrupt& interrupt)
      : rate_(options.rate),
        end_(begin_ +
             std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options.seconds))),
        interrupted_(interrupt.token(), [this] { Stop(); }) {}

  /// Waits for the next one. None: time is up, or Stop was called.
  std::optional<SteadyClock::time_point> Next() {
    if (stopped_ || SteadyClock::now() >= end_) return std::nullopt;
    if (!rate_) return SteadyClock::now();
    std::uint64_t number = next_.fetch_add(1);
    auto due = begin_ +
               nanoseconds(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / static_cast<double>(*rate_)));
    if (due >= end_) return std::nullopt;
    std::this_thread::sleep_until(due);
    return due;
  }
  void Stop() { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] SteadyClock::time_point begin() const { return begin_; }

 private:
  const SteadyClock::time_point begin_ = SteadyClock::now();
  const std::optional<std::uint64_t> rate_;
  const SteadyClock::time_point end_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<bool> stopped_{false};
  const std::stop_callback<std::function<void()>> interrupted_;  // SIGINT ends all
};

/// Records of letters that do not compress to nothing, the same for the same seed.
std::vector<Record> RandomRecords(const WorkloadOptions& options, std::uint64_t thread) {
  std::mt19937_64 random(options.seed * 1'000'003 + thread);
  std::vector<Record> records(options.batch_records);
  for (Record& record : records) {
    std::string value(options.record_bytes, '\0');
    for (char& c : value) c = static_cast<char>('!' + random() % 94);
    record.value = std::move(value);
  }
  return records;
}

Error NoThread(const std::system_error& error) {
  return Error(ErrorCode::kUnavailable, fmt::format("cannot start a thread: {}", error.code().message()),
               "Raise the limit of processes (ulimit -u), or ask for fewer with --threads.");
}

/// Runs `body` on each thread; the first error stops all and is the result.
Result<void> OnThreads(unsigned count, Schedule& schedule, const std::function<Result<void>(unsigned)>& body) {
  Mutex mutex;
  std::optional<Error> failure;
  {
    std::vector<std::jthread> threads;
    auto fail = [&](const Error& error) {
      schedule.Stop();
      MutexLock lock(mutex);
      if (!failure) failure = error;
    };
    for (unsigned i = 0; i < count; ++i) {
      try {
        threads.emplace_back([&, i] {
          if (auto result = body(i); !result) fail(result.error());
        });
      } catch (const std::system_error& error) {
        fail(NoThread(error));
        break;
      }
    }
  }
  if (failure) return *failure;
  return {};
}

/// What the threads count together.
struct Counts {
  std::atomic<std::uint64_t> operations{0}, records{0}, bytes{0};
  void Add(std::uint64_t record_count, std::uint64_t byte_count) {
    ++operations;
    records += record_count;
    bytes += byte_count;
  }
  void Into(WorkloadResult& result, SteadyClock::time_point begin) const {
    result.operations = operations;
    result.records = records;
    result.bytes = bytes;
    result.seconds = static_cast<double>(Elapsed(begin)) / 1e9;
  }
};

Result<void> AppendChecked(Engine& engine, std::span<const Record> records, Durability wanted) {
  MR_ASSIGN_OR_RETURN(AppendReceipt receipt, engine.Append(BenchPartition(), records, {.durability = wanted}));
  if (receipt.reached >= wanted) return {};
  return Error(ErrorCode::kInternal, "a receipt names less than was asked for");
}

Result<void> Fill(Engine& engine, const WorkloadOptions& options) {
  constexpr std::uint64_t kFillBytes = 64 << 20;
  WorkloadOptions batch = options;
  batch.batch_records = std::max<std::size_t>(1, (1 << 20) / std::max<std::size_t>(1, options.record_bytes));
  std::vector<Record> records = RandomRecords(batch, 0);
  for (std::uint64_t bytes = 0; bytes < kFillBytes; bytes += batch.batch_records * options.record_bytes) {
    MR_TRY(AppendChecked(engine, records, Durability::kOs));
  }
  return AppendChecked(engine, records, Durability::kDisk);
}

}  // namespace

Result<void> RunAppend(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                       WorkloadResult& result) {
  MR_TRY(engine.CreateTopic(kTopic));
  Counts counts;
  Schedule schedule(options, interrupt);
  MR_TRY(OnThreads(options.threads, schedule, [&](unsigned thread) -> Result<void> {
    std::vector<Record> records = RandomRecords(options, thread);
    while (auto due = schedule.Next()) {
      MR_TRY(AppendChecked(engine, records, options.durability));
      result.latency_ns.Record(Elapsed(*due));
      counts.Add(records.size(), records.size() * options.record_bytes);
    }
    return {};
  }));
  counts.Into(result, schedule.begin());
  return {};
}

Result<void> RunRead(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                     WorkloadResult& result) {
  MR_TRY(engine.CreateTopic(kTopic));
  MR_TRY(Fill(engine, options));
  Counts counts;
  Schedule schedule(options, interrupt);
  MR_TRY(OnThreads(options.threads, schedule, [&](unsigned) -> Result<void> {
    Offset at(0);
    while (auto due = schedule.Next()) {
      MR_ASSIGN_OR_RETURN(ReadResult read, engine.Read(BenchPartition(), at, {.bytes_max = kReadBytes}));
      result.latency_ns.Record(Elapsed(*due));
      std::uint64_t bytes = 0;
      for (const RecordView& record : read.records) bytes += record.value.value_or("").size();
      counts.Add(read.records.size(), bytes);
      at = read.next >= read.high_watermark ? Offset(0) : read.next;
    }
    return {};
  }));
  counts.Into(result, schedule.begin());
  return {};
}

Result<void> RunEndToEnd(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                         WorkloadResult& result) {
  MR_TRY(engine.CreateTopic(kTopic));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Consumer> consumer, engine.OpenConsumer({.topics = {kTopic}}));
  Counts counts;
  std::atomic<std::uint64_t> sent{0};
  std::atomic<bool> all_sent{false};
  Schedule schedule(options, interrupt);
  Result<void> received;
  auto receive = [&] {
    while (!all_sent || counts.records < sent) {
      auto records = consumer->Poll(0, std::chrono::milliseconds(100));
      if (!records) {
        received = records.error();
        schedule.Stop();
        return;
      }
      for (const ConsumedRecord& record : *records) {
        std::int64_t due = 0;
        std::memcpy(&due, record.value->data(), sizeof due);
        result.latency_ns.Record(Elapsed(SteadyClock::time_point(nanoseconds(due))));
        counts.Add(1, record.value->size());
      }
    }
  };
  std::jthread reader;
  try {
    reader = std::jthread(receive);
  } catch (const std::system_error& error) {
    return NoThread(error);
  }
  auto written = OnThreads(options.threads, schedule, [&](unsigned thread) -> Result<void> {
    std::vector<Record> records = RandomRecords(options, thread);
    while (auto due = schedule.Next()) {
      std::int64_t time = nanoseconds(due->time_since_epoch()).count();
      for (Record& record : records) std::memcpy(record.value->data(), &time, sizeof time);
      MR_TRY(AppendChecked(engine, records, options.durability));
      sent += records.size();
    }
    return {};
  });
  all_sent = true;
  if (!written) consumer->Wakeup();
  reader.join();
  MR_TRY(std::move(written));
  MR_TRY(std::move(received));
  counts.Into(result, schedule.begin());
  return consumer->Close();
}

}  // namespace millrace
