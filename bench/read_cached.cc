// Reads of history that is in the disk cache: a poll from a random place, and a scan.
#include <fmt/core.h>

#include <memory>
#include <random>
#include <vector>

#include "base/histogram.h"
#include "bench/harness/log_lines.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::size_t kPolls = 2'000, kPollRecords = 100;

/// Microseconds, the 99th percentile of polls from random places. Every record is compared, outside the measured time.
double PollPercentile99(OpenedEngine& engine, const StoredTopic& topic, std::mt19937_64& random) {
  const auto consumer = OrDie(engine->OpenConsumer({.topics = {"t"}}), "consumer");
  Histogram took;
  for (std::size_t i = 0; i < kPolls; ++i) {
    const Offset at(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(topic.records() - kPollRecords)));
    const Stopwatch watch;
    OrDie(consumer->Seek(OpenedEngine::Partition(0), at), "seek");
    const auto records = OrDie(consumer->PollViews(kPollRecords), "poll");
    took.Record(static_cast<std::uint64_t>(watch.seconds() * 1e9));
    if (records.size() != kPollRecords) Die("a poll brought another number of records");
    for (std::size_t number = 0; number < records.size(); ++number)
      topic.Check(records[number], at + static_cast<std::int64_t>(number));
  }
  OrDie(consumer->Close(), "close");
  return static_cast<double>(took.Percentile(99)) / 1e3;
}

void MeasurePolls(Suite& suite, bool block_cache) {
  const Row row{fmt::format("cached poll of 100 records, p99, block cache {}", block_cache ? "on" : "off"),
                "us",
                fmt::format("Consumer::Seek + PollViews of 100 records at {} random places, one segment of 64 MiB "
                            "before LZ4, 1,024 B of log lines a record, 64 a batch, all in the disk cache and its file "
                            "in the page cache; 0 GETs and every record compared (checked)",
                            kPolls),
                Better::kLower,
                {{{}, 1000}}};
  if (!suite.Wants(row)) return;
  const std::vector<Record> records = RecordsOfLogLines(suite.seed(), 65'536, 1024);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.batch_records = 64}, records);
  EngineOptions options = topic.Options();
  if (!block_cache) options.read.block_cache_max_size = 0;
  const auto engine = topic.OpenCold(options);
  Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
  std::mt19937_64 random(suite.seed());
  if (block_cache) PollPercentile99(*engine, topic, random);
  const SimS3Counts before = store.Counts();
  suite.Compare(row, {{"millrace Consumer", [&] { return PollPercentile99(*engine, topic, random); }}});
  if (GetsSince(before, store.Counts()) != 0) Die("a cached poll asked the object store");
}

void MeasureScan(Suite& suite) {
  const Row row{"sequential read through the disk cache",
                "records/s",
                "200 B of log lines a record, 500 a batch, 2 segments of 64 MiB before LZ4, Engine::Read of 1 MiB, "
                "views, everything in the disk cache, block cache off, its files in the page cache; 0 GETs (checked)",
                Better::kHigher,
                {{{}, 1e6}}};
  if (!suite.Wants(row)) return;
  const std::vector<Record> records = RecordsOfLogLines(suite.seed(), 100'000, 200);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = 2, .batch_records = 500}, records);
  EngineOptions options = topic.Options();
  options.read.block_cache_max_size = 0;
  {
    const auto engine = topic.OpenCold(options);
    Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
  }
  suite.Compare(row, {{"millrace Engine::Read", [&] {
                         const auto engine = topic.Reopen(options);
                         const SimS3Counts before = store.Counts();
                         const Scanned scan =
                             Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
                         if (GetsSince(before, store.Counts()) != 0) Die("a cached scan asked the object store");
                         if (scan.bytes != topic.payload_bytes()) Die("bytes are missing");
                         return static_cast<double>(scan.records) / scan.seconds;
                       }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_cached", argc, argv);
  MeasurePolls(suite, false);
  MeasurePolls(suite, true);
  MeasureScan(suite);
  return 0;
}
