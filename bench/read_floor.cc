// The floor under the read path that no machine may miss, with a store whose first byte takes 50 to 150 ms.
#include <fmt/core.h>

#include <algorithm>
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

constexpr const char* kStore = "first byte log-normal, 98 % of them within 50 to 150 ms, 80 MB/s a connection";

void AnswerFarAway(FarStore& store) {
  store.s3().SetBehaviour({.first_byte = std::chrono::microseconds(86'600),
                           .first_byte_sigma = 0.236,
                           .bytes_per_second = kConnectionBytesPerSecond});
}

/// Milliseconds, the 99th percentile of reads of 100 records at these places, by `threads` at once.
double ReadPercentile99(Engine& engine, const StoredTopic& topic, const std::vector<Offset>& places,
                        std::size_t threads) {
  Histogram took;
  TimeThreads(threads, [&](std::size_t thread) {
    for (std::size_t i = thread; i < places.size(); i += threads) {
      const Stopwatch watch;
      const ReadResult result = OrDie(engine.Read(OpenedEngine::Partition(0), places[i], {.records_max = 100}), "read");
      took.Record(static_cast<std::uint64_t>(watch.seconds() * 1e9));
      if (result.records.empty()) Die("a read brought nothing");
      for (std::size_t number = 0; number < result.records.size(); ++number)
        topic.Check(result.records[number], places[i] + static_cast<std::int64_t>(number));
    }
  });
  return static_cast<double>(took.Percentile(99)) / 1e6;
}

/// Each in a chunk of its own, in an order of chance.
std::vector<Offset> PlacesApart(const StoredTopic& topic, std::size_t count, std::uint64_t seed) {
  std::vector<Offset> places;
  const double step = static_cast<double>(topic.records() - 200) / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i)
    places.emplace_back(static_cast<std::int64_t>(static_cast<double>(i) * step) + 50);
  std::mt19937_64 random(seed);
  std::ranges::shuffle(places, random);
  return places;
}

void MeasurePoints(Suite& suite, FarStore& store, const StoredTopic& topic) {
  const Row cached{
      "floor: read with the segment in the cache, p99",
      "ms",
      "100 records of 1 KiB at 2,000 random places, 8 segments of 64 MiB of log lines, uncompressed, all in the disk "
      "cache, block cache off",
      Better::kLower,
      {{{}, 10}},
      Rounds::kOne};
  const Row uncached{"floor: first read from the object store, p99",
                     "ms",
                     fmt::format("100 records of 1 KiB at 400 places, each in a chunk nobody has read, 8 at once, the "
                                 "indexes at hand; {}",
                                 kStore),
                     Better::kLower,
                     {{{}, 200}},
                     Rounds::kOne};
  const Row bare{"first read, index not at hand either, p50",
                 "ms",
                 "the same by fresh engines over empty caches, 80 reads; no floor: two requests that wait for each "
                 "other",
                 Better::kLower,
                 {},
                 Rounds::kOne};
  if (!suite.Wants(cached) && !suite.Wants(uncached) && !suite.Wants(bare)) return;
  EngineOptions options = topic.Options();
  options.read.block_cache_max_size = 0;
  AnswerFarAway(store);
  suite.Compare(bare, {{"millrace Engine::Read", [&] {
                          std::vector<double> took;
                          for (int round = 0; round < 10; ++round) {
                            const auto engine = topic.OpenCold(options);
                            for (const SegmentDescription& segment : topic.segments()) {
                              const Stopwatch watch;
                              OrDie((*engine)->Read(OpenedEngine::Partition(0), segment.base + 9'000 + round * 2'000,
                                                    {.records_max = 100}),
                                    "read");
                              took.push_back(watch.milliseconds());
                            }
                          }
                          return Summarize(std::move(took)).median;
                        }}});
  const auto engine = topic.OpenCold(options);
  for (const SegmentDescription& segment : topic.segments())
    OrDie((*engine)->Read(OpenedEngine::Partition(0), segment.base, {.records_max = 1}), "read");
  suite.Compare(uncached, {{"millrace Engine::Read", [&] {
                              return ReadPercentile99(**engine, topic, PlacesApart(topic, 400, suite.seed()), 8);
                            }}});
  store.AnswerAtOnce();
  Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
  AnswerFarAway(store);
  suite.Compare(cached, {{"millrace Engine::Read", [&] {
                            const SimS3Counts before = store.Counts();
                            const double p99 =
                                ReadPercentile99(**engine, topic, PlacesApart(topic, 2'000, suite.seed() + 1), 1);
                            if (GetsSince(before, store.Counts()) != 0) Die("a cached read asked the object store");
                            return p99;
                          }}});
}

void MeasureSequence(Suite& suite, FarStore& store, const StoredTopic& topic) {
  const Row rate{"floor: sequential read with prefetch",
                 "records/s",
                 fmt::format("8 segments of 64 MiB, records of 1 KiB, Engine::Read of 1 MiB, caches empty; {}", kStore),
                 Better::kHigher,
                 {{{}, 100'000}}};
  const Row hits{"floor: hits of a sequential read",
                 "%",
                 "the scan of the row above: share of its bytes that it did not have to ask for itself",
                 Better::kHigher,
                 {{{}, 80}},
                 Rounds::kOne};
  if (!suite.Wants(rate) && !suite.Wants(hits)) return;
  AnswerFarAway(store);
  const auto scan = [&] {
    const auto engine = topic.OpenCold();
    const Scanned scanned = Scan(**engine, OpenedEngine::Partition(0), Offset(0), Offset(topic.records()));
    if (scanned.bytes != topic.payload_bytes()) Die("bytes are missing");
    return scanned;
  };
  suite.Compare(rate, {{"millrace Engine::Read", [&] {
                          const Scanned scanned = scan();
                          return static_cast<double>(scanned.records) / scanned.seconds;
                        }}});
  suite.Compare(hits, {{"millrace Engine::Read", [&] {
                          const ReadExplanation explanation = scan().explanation;
                          const BytesBySource& from = explanation.bytes;
                          const double asked = static_cast<double>(from.object_store - explanation.prefetched);
                          return 100 * (1 - asked / static_cast<double>(from.object_store + from.segment_cache +
                                                                        from.block_cache));
                        }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_floor", argc, argv);
  FarStore store(suite.seed());
  const std::vector<Record> records = RecordsOfLogLines(suite.seed(), 4096, 1024);
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = 8, .codec = SegmentCodec::kNone}, records);
  MeasurePoints(suite, store, topic);
  MeasureSequence(suite, store, topic);
  return 0;
}
