// A scan of history that is only in the object store, against raw ranged GETs of the same objects by the same client:
// how much of what the store can give arrives at a reader, and how much memory that takes.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20, kRequestBytes = 8 * kMebibyte;
constexpr std::size_t kSegments = 64, kUndelayedSegments = 16;

double MegabytesPerSecond(std::uint64_t bytes, double seconds) { return static_cast<double>(bytes) / 1e6 / seconds; }

/// Every byte of the segments once, in requests of 8 MiB, `parallel` at a time (0: all at once). MB/s of stored bytes.
double RawScan(ObjectStore& store, const std::vector<SegmentDescription>& segments, std::size_t parallel) {
  struct Range {
    const SegmentDescription* segment;
    ByteRange bytes;
  };
  std::vector<Range> ranges;
  std::uint64_t total = 0;
  for (const SegmentDescription& segment : segments) {
    for (std::uint64_t at = 0; at < segment.byte_size; at += kRequestBytes)
      ranges.push_back({&segment, {segment.byte_begin + at, std::min(kRequestBytes, segment.byte_size - at)}});
    total += segment.byte_size;
  }
  std::atomic<std::size_t> next{0};
  const double seconds = TimeThreads(parallel == 0 ? ranges.size() : parallel, [&](std::size_t) {
    for (std::size_t i = next++; i < ranges.size(); i = next++) {
      const SharedBytes got = OrDie(store.Get(ranges[i].segment->object, ranges[i].bytes), "raw get");
      if (got.size() != ranges[i].bytes.length) Die("a raw get came short");
    }
  });
  return MegabytesPerSecond(total, seconds);
}

/// The same figure for a reader of everything, by a fresh engine over an empty cache.
double ColdScan(const StoredTopic& topic, EngineOptions options) {
  const auto engine = topic.OpenCold(std::move(options));
  const Scanned scan = Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
  if (scan.records != static_cast<std::uint64_t>(topic.records()) || scan.bytes != topic.payload_bytes())
    Die("records are missing");
  const BytesBySource& from = scan.explanation.bytes;
  if (from.tail + from.wal != 0) Die("a cold scan found bytes in the hot tier");
  // The rest of a chunk may be on disk by the time the next read wants it.
  if (from.object_store < topic.payload_bytes() / 2) Die("a cold scan found bytes at hand");
  return MegabytesPerSecond(topic.stored_bytes(), scan.seconds);
}

/// Not part of any figure.
void CheckContents(const StoredTopic& topic) {
  const auto engine = topic.OpenCold();
  for (Offset at(0); at < Offset(topic.records());) {
    const ReadResult result = OrDie((*engine)->Read(OpenedEngine::Partition(0), at, {.bytes_max = 4 << 20}), "read");
    for (const RecordView& record : result.records) {
      topic.Check(record, at);
      at = at + 1;
    }
    if (at != result.next) Die("a read says it ended elsewhere");
  }
}

/// The most that reads had in flight while everything was scanned, in MiB; and what the bandwidth-delay product was.
struct InFlight {
  double peak_mebibytes = 0, product_mebibytes = 0;
};

InFlight MeasureInFlight(const StoredTopic& topic, ObjectStore& raw) {
  const SegmentDescription& segment = topic.segments().front();
  const Stopwatch watch;
  OrDie(raw.Get(segment.object, {segment.byte_begin, kRequestBytes}), "raw get");
  const double delay = watch.seconds();
  const auto engine = topic.OpenCold();
  std::uint64_t peak = 0;
  std::jthread sampler([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      peak = std::max(peak, (*engine)->Stats().read_memory_bytes);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const Scanned scan = Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
  sampler.request_stop();
  sampler.join();
  const double bandwidth = static_cast<double>(topic.stored_bytes()) / scan.seconds;
  return {static_cast<double>(peak) / kMebibyte, bandwidth * delay / kMebibyte};
}

/// What a second stream of a warm engine delivers in its first half second, and what it does after that, in MB/s.
struct Start {
  double first = 0, after = 0;
};

Start MeasureStart(const StoredTopic& topic) {
  constexpr double kFirstSeconds = 0.5;
  const auto engine = topic.OpenCold();
  const auto offset = [&](std::int64_t percent) { return Offset(topic.records() / 100 * percent); };
  Scan(**engine, OpenedEngine::Partition(0), Offset(0), offset(25));
  const Stopwatch watch;
  std::uint64_t bytes = 0, first_bytes = 0;
  double first_seconds = 0;
  for (Offset at = offset(40); at < Offset(topic.records());) {
    const ReadResult result = OrDie((*engine)->Read(OpenedEngine::Partition(0), at, {.bytes_max = 1 << 20}), "read");
    for (const RecordView& record : result.records) bytes += record.value->size();
    at = result.next;
    if (first_seconds != 0 || watch.seconds() < kFirstSeconds) continue;
    first_seconds = watch.seconds();
    first_bytes = bytes;
  }
  return {MegabytesPerSecond(first_bytes, first_seconds),
          MegabytesPerSecond(bytes - first_bytes, watch.seconds() - first_seconds)};
}

/// A quarter of the topic by a fresh engine. `cached`: about half of it is on disk already.
double QuarterScan(const StoredTopic& topic, bool cached) {
  const Offset end(topic.records() / 4);
  if (cached) {
    const auto engine = topic.OpenCold();  // closed before the clock starts, and what it wrote is on the disk then
    for (const SegmentDescription& segment : topic.segments()) {
      if (segment.base >= end) break;
      const Offset half(segment.base.value() + (segment.end.value() - segment.base.value()) / 2);
      Scan(**engine, OpenedEngine::Partition(0), segment.base, half);
    }
  }
  const auto engine = cached ? topic.Reopen(topic.Options()) : topic.OpenCold();
  const Scanned scan = Scan(**engine, OpenedEngine::Partition(0), Offset(0), end);
  return MegabytesPerSecond(scan.bytes, scan.seconds);
}

void MeasureDelayed(Suite& suite) {
  const Row rate{"cold scan, 30 ms and 80 MB/s a connection",
                 "MB/s",
                 fmt::format("{} segments of 64 MiB, 1 KiB random records, 256 a batch, one partition, Engine::Read of "
                             "1 MiB, caches empty; raw: the same client, all ranges of 8 MiB at once; simulated S3 in "
                             "this process",
                             kSegments),
                 Better::kHigher,
                 {{1, 0.8}}};
  const Row memory{"cold scan, memory in flight",
                   "MiB",
                   "the scan of the row above, largest read_memory_bytes of samples 1 ms apart; beside it: its rate x "
                   "the time of one GET of 8 MiB",
                   Better::kLower,
                   {{1, 1.5}},
                   Rounds::kOne};
  const Row start{"cold scan, first 500 ms, engine warm",
                  "MB/s",
                  "a second stream of the same engine, after one that read a quarter of the topic; beside it: what it "
                  "reaches after its first 500 ms",
                  Better::kHigher,
                  {{1, 0.6}}};
  const Row part{"scan, half of it on disk",
                 "MB/s",
                 "a quarter of the topic by a fresh engine, after half of each segment was read and the engine closed",
                 Better::kHigher,
                 {{1, 1}}};
  if (!suite.Wants(rate) && !suite.Wants(memory) && !suite.Wants(start) && !suite.Wants(part)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = kSegments},
                          payloads.Batch(0, payloads.count()));
  CheckContents(topic);
  const auto raw = store.Connect(Client::kUnlimited);
  store.AnswerLate();
  EngineOptions no_disk_cache = topic.Options();
  no_disk_cache.read.cache_max_size = 0;
  suite.Compare(rate, {{"millrace Engine::Read", [&] { return ColdScan(topic, topic.Options()); }},
                       {"raw parallel GETs", [&] { return RawScan(*raw, topic.segments(), 0); }},
                       {"millrace, disk cache off", [&] { return ColdScan(topic, no_disk_cache); }}});
  Start started;
  suite.Compare(start, {{"millrace, first 500 ms",
                         [&] {
                           started = MeasureStart(topic);
                           return started.first;
                         }},
                        {"millrace, after that", [&] {
                           if (started.after == 0) started = MeasureStart(topic);
                           return started.after;
                         }}});
  suite.Compare(part, {{"millrace Engine::Read, half on disk", [&] { return QuarterScan(topic, true); }},
                       {"millrace Engine::Read, cold", [&] { return QuarterScan(topic, false); }}});
  InFlight last;
  suite.Compare(memory, {{"millrace Engine::Read",
                          [&] {
                            last = MeasureInFlight(topic, *raw);
                            return last.peak_mebibytes;
                          }},
                         {"bandwidth-delay product", [&] {
                            if (last.product_mebibytes == 0) last = MeasureInFlight(topic, *raw);
                            return last.product_mebibytes;
                          }}});
}

void MeasureUndelayed(Suite& suite, std::int32_t partitions) {
  const std::size_t segments = kUndelayedSegments / static_cast<std::size_t>(partitions);
  const Row row{fmt::format("cold scan, no delay, {} partition{}", partitions, partitions == 1 ? "" : "s"),
                "MB/s",
                fmt::format("{} segments of 64 MiB in each, 1 KiB random records, one reader a partition, Engine::Read "
                            "of 1 MiB, caches empty; raw: the same client, ranges of 8 MiB, 16 at a time",
                            segments),
                Better::kHigher,
                {{1, 0.9}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = segments, .partitions = partitions},
                          payloads.Batch(0, payloads.count()));
  const auto raw = store.Connect(Client::kUnlimited);
  suite.Compare(row, {{"millrace Engine::Read",
                       [&] {
                         const auto engine = topic.OpenCold();
                         const double seconds =
                             TimeThreads(static_cast<std::size_t>(partitions), [&](std::size_t partition) {
                               Scan(**engine, OpenedEngine::Partition(partition), Offset(0), Offset(topic.records()));
                             });
                         return MegabytesPerSecond(topic.stored_bytes(), seconds);
                       }},
                      {"raw parallel GETs", [&] { return RawScan(*raw, topic.segments(), 16); }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_cold_scan", argc, argv);
  MeasureDelayed(suite);
  MeasureUndelayed(suite, 1);
  MeasureUndelayed(suite, 8);
  return 0;
}
