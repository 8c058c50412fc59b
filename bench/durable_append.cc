// Appends that are synced to the disk before the receipt, blocking callers: one, ten, sixty-four, and in batches.
//
// Between runs, off the clock, the engine forgets its records, so that the next run meets what a log at work has:
// recycled WAL files. The raw side overwrites a file made before the clock starts; peers keep whatever they keep.
#include <fmt/core.h>

#include <memory>
#include <vector>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/peers.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::size_t kRawFileBytes = 256u << 20;

/// Median latency in us of `count` durable appends of one record by one thread.
double MedianAppendUs(OpenedEngine& engine, const Payloads& payloads, std::size_t count) {
  std::vector<double> times;
  times.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Stopwatch watch;
    engine.Append(OpenedEngine::Partition(0), {&payloads.record(i), 1}, Durability::kDisk);
    times.push_back(watch.microseconds());
  }
  engine.Forget(1);
  return Summarize(std::move(times)).median;
}

/// Appends/s of `threads` blocking callers, each on its own partition.
double AppendRate(OpenedEngine& engine, const Payloads& payloads, std::size_t threads, std::size_t each) {
  const double seconds = TimeThreads(threads, [&](std::size_t thread) {
    for (std::size_t i = 0; i < each; ++i) {
      engine.Append(OpenedEngine::Partition(thread), {&payloads.record(thread * 61 + i), 1}, Durability::kDisk);
    }
  });
  engine.Forget(threads);
  return static_cast<double>(threads * each) / seconds;
}

double PeerRate(Peer& peer, const Payloads& payloads, std::size_t threads, std::size_t each, std::uint64_t& next_key) {
  const std::uint64_t first_key = next_key;
  next_key += threads * each;
  const double seconds = TimeThreads(threads, [&](std::size_t thread) {
    for (std::size_t i = 0; i < each; ++i) peer.Put(first_key + i * threads + thread, payloads.value(thread * 61 + i));
  });
  return static_cast<double>(threads * each) / seconds;
}

void MeasureOneWriter(Suite& suite) {
  const Row row{"durable append, 1 writer",
                "us",
                "1 thread, 1 KiB random, kDisk, median of 4,000 appends; raw: 4 KiB overwrite + sync; peers: sync=true",
                Better::kLower,
                {{1, 1.3}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), 1);
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  const auto level = OpenLevelDb(suite.FreshDirectory("leveldb"), PeerSync::kEachWrite);
  const auto rocks = OpenRocksDb(suite.FreshDirectory("rocksdb"), PeerSync::kEachWrite);
  std::uint64_t key = 0;
  const auto peer_median = [&](Peer& peer) {
    std::vector<double> times;
    for (std::size_t i = 0; i < 2000; ++i) {
      const Stopwatch watch;
      peer.Put(key++, payloads.value(i));
      times.push_back(watch.microseconds());
    }
    return Summarize(std::move(times)).median;
  };
  suite.Compare(row, {{"millrace kDisk", [&] { return MedianAppendUs(engine, payloads, 4000); }},
                      {"raw synced 4 KiB overwrite", [&] { return MedianSyncUs(raw, 4096, 4000); }},
                      {"LevelDB sync", [&] { return peer_median(*level); }},
                      {"RocksDB sync", [&] { return peer_median(*rocks); }}});
}

void MeasureSixtyFour(Suite& suite) {
  const Row row{"durable appends, 64 threads",
                "appends/s",
                "64 blocking threads, each its own partition, 1 KiB random, kDisk, 1,500 each; peers: sync=true",
                Better::kHigher,
                {{1, 2.0}, {2, 3.0}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), 64);
  const auto level = OpenLevelDb(suite.FreshDirectory("leveldb"), PeerSync::kEachWrite);
  const auto rocks = OpenRocksDb(suite.FreshDirectory("rocksdb"), PeerSync::kEachWrite);
  std::uint64_t level_key = 0, rocks_key = 0;
  suite.Compare(row, {{"millrace kDisk", [&] { return AppendRate(engine, payloads, 64, 1500); }},
                      {"LevelDB sync", [&] { return PeerRate(*level, payloads, 64, 750, level_key); }},
                      {"RocksDB sync", [&] { return PeerRate(*rocks, payloads, 64, 500, rocks_key); }}});
}

/// No blocking caller can beat threads / T_sync: each waits for one sync at least. T_sync is that of the bytes our
/// groups had.
void MeasureTen(Suite& suite) {
  const Row row{"durable appends, 10 threads",
                "appends/s",
                "10 blocking threads, each its own partition, 500..1,024 B random, kDisk, 6,000 each; bound: 10 / "
                "median synced overwrite of the group's bytes",
                Better::kHigher,
                {{1, 0.5}}};
  if (!suite.Wants(row)) return;
  constexpr std::size_t kThreads = 10;
  const Payloads payloads(suite.seed(), Sizes::kUniform);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), kThreads);
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  std::size_t group_bytes = 4096;
  suite.Compare(row, {{"millrace kDisk",
                       [&] {
                         const EngineStats before = engine->Stats();
                         const double rate = AppendRate(engine, payloads, kThreads, 6000);
                         const EngineStats after = engine->Stats();
                         if (after.wal_syncs == before.wal_syncs) Die("durable appends without a sync");
                         group_bytes =
                             (after.appended_bytes - before.appended_bytes) / (after.wal_syncs - before.wal_syncs);
                         return rate;
                       }},
                      {"10 / T_sync", [&] { return kThreads * 1e6 / MedianSyncUs(raw, group_bytes, 2000); }}});
}

void MeasureBatches(Suite& suite, std::size_t records, double goal) {
  const Row row{
      fmt::format("durable batches of {}", records),
      "records/s",
      fmt::format(
          "1 thread, one Append of {} records of 500..1,024 B random, kDisk; raw: synced overwrites of the same bytes",
          records),
      Better::kHigher,
      {{1, goal}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kUniform);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), 1);
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  const std::size_t batches = 256'000 / records;
  std::size_t batch_bytes = 0;
  for (const Record& record : payloads.Batch(1, records)) batch_bytes += record.value->size();
  suite.Compare(row, {{"millrace kDisk",
                       [&] {
                         const Stopwatch watch;
                         for (std::size_t i = 0; i < batches; ++i) {
                           engine.Append(OpenedEngine::Partition(0), payloads.Batch(i, records), Durability::kDisk);
                         }
                         const double seconds = watch.seconds();
                         engine.Forget(1);
                         return static_cast<double>(batches * records) / seconds;
                       }},
                      {"raw synced writes", [&] {
                         const Stopwatch watch;
                         for (std::size_t i = 0; i < batches; ++i) raw.SyncedOverwrite(batch_bytes);
                         return static_cast<double>(batches * records) / watch.seconds();
                       }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("durable_append", argc, argv);
  MeasureOneWriter(suite);
  MeasureSixtyFour(suite);
  MeasureTen(suite);
  MeasureBatches(suite, 256, 0.6);
  MeasureBatches(suite, 2000, 0.6);
  return 0;
}
