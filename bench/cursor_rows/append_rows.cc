// Appends beside the crate: unsynced, synced, in flight, in batches; and how they scale over threads.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <semaphore>

#include "bench/cursor_rows/cursor_rows.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"

namespace millrace::bench {

namespace {

constexpr std::size_t kRawFileBytes = 256u << 20;
constexpr std::uint64_t kUnsyncedRecords = 1'000'000;

std::vector<NumberedPayloads> PayloadsOf(const Suite& suite, std::size_t threads) {
  std::vector<NumberedPayloads> payloads;
  for (std::size_t i = 0; i < threads; ++i) payloads.emplace_back(suite.seed(), i);
  return payloads;
}

/// All offsets of [before, before + each) were given, in every partition.
void CheckOffsets(OpenedEngine& engine, std::size_t threads, const std::vector<Offset>& before, std::uint64_t each) {
  for (std::size_t i = 0; i < threads; ++i) {
    const PartitionOffsets offsets = OrDie(engine->Offsets(OpenedEngine::Partition(i)), "offsets");
    if (offsets.log_end - before[i] != static_cast<std::int64_t>(each)) Die("records are missing");
  }
}

std::vector<Offset> Ends(OpenedEngine& engine, std::size_t threads) {
  std::vector<Offset> ends;
  for (std::size_t i = 0; i < threads; ++i) {
    ends.push_back(OrDie(engine->Offsets(OpenedEngine::Partition(i)), "offsets").log_end);
  }
  return ends;
}

/// Records/s of blocking callers, one record a call, each its own partition.
double BlockingRate(OpenedEngine& engine, std::vector<NumberedPayloads>& payloads, std::uint64_t each,
                    Durability durability) {
  const std::size_t threads = payloads.size();
  const auto before = Ends(engine, threads);
  const double seconds = TimeThreads(threads, [&](std::size_t thread) {
    for (std::uint64_t i = 0; i < each; ++i) {
      engine.Append(OpenedEngine::Partition(thread), {&payloads[thread].Stamped(i), 1}, durability);
    }
  });
  CheckOffsets(engine, threads, before, each);
  engine.Forget(threads);
  return static_cast<double>(threads * each) / seconds;
}

/// The same with up to `in_flight` appends of each thread under way.
double InFlightRate(OpenedEngine& engine, std::vector<NumberedPayloads>& payloads, std::uint64_t each,
                    std::ptrdiff_t in_flight) {
  const std::size_t threads = payloads.size();
  const auto before = Ends(engine, threads);
  std::atomic<std::uint64_t> durable{0};
  const double seconds = TimeThreads(threads, [&](std::size_t thread) {
    std::counting_semaphore<> room(in_flight);
    for (std::uint64_t i = 0; i < each; ++i) {
      room.acquire();
      engine->AppendAsync(OpenedEngine::Partition(thread), {&payloads[thread].Stamped(i), 1},
                          {.durability = Durability::kDisk}, [&](Result<AppendReceipt> receipt) {
                            if (!receipt || receipt->reached < Durability::kDisk) Die("an append failed");
                            durable.fetch_add(1, std::memory_order_relaxed);
                            room.release();
                          });
    }
    for (std::ptrdiff_t i = 0; i < in_flight; ++i) room.acquire();
  });
  if (durable != threads * each) Die("an append was never acknowledged");
  CheckOffsets(engine, threads, before, each);
  engine.Forget(threads);
  return static_cast<double>(threads * each) / seconds;
}

/// Records/s of one plain write each, which is what an append to a file costs without any log.
double PlainWriteRate(const Suite& suite, std::vector<NumberedPayloads>& payloads, std::uint64_t each) {
  const auto directory = suite.FreshDirectory("plain");
  const double seconds = TimeThreads(payloads.size(), [&](std::size_t thread) {
    const int descriptor = ::open((directory / std::to_string(thread)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    off_t at = 0;
    for (std::uint64_t i = 0; i < each; ++i) {
      const std::string& value = *payloads[thread].Stamped(i).value;
      if (::pwrite(descriptor, value.data(), value.size(), at) != static_cast<ssize_t>(value.size())) Die("pwrite");
      at += static_cast<off_t>(value.size());
    }
    ::close(descriptor);
  });
  std::filesystem::remove_all(directory);
  return static_cast<double>(payloads.size() * each) / seconds;
}

std::string Threads(std::size_t threads) { return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s"); }

void MeasureUnsynced(Suite& suite, std::size_t threads, std::string_view prefix, std::uint64_t records, bool judged) {
  Row row{
      fmt::format("{}append, no sync, {}", prefix, Threads(threads)),
      "records/s",
      "one record of 500..1,024 B random a call, each thread its own topic or partition; ours SyncPolicy::None, kOs; "
      "walrus NoFsync; plain: one pwrite each",
      Better::kHigher,
      {}};
  if (!suite.Wants(row)) return;
  auto payloads = PayloadsOf(suite, threads);
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  options.sync = SyncPolicy::None();
  OpenedEngine engine(options, static_cast<std::int32_t>(threads));
  const std::uint64_t each = records / threads;
  std::vector<Side> sides = {{"millrace kOs", [&] { return BlockingRate(engine, payloads, each, Durability::kOs); }},
                             {"plain pwrite", [&] { return PlainWriteRate(suite, payloads, each); }}};
  AddWalrus(suite, "walrus NoFsync", "none", "strict", sides, [&](WalrusPeer& peer) {
    const std::uint64_t count = each / 4;
    return static_cast<double>(threads * count) / peer.Ask(fmt::format("append {} {}", threads, count))[0];
  });
  if (judged && sides.size() > 2) row.goals = {{2, 5.0}};
  suite.Compare(row, sides);
}

void MeasureSynced(Suite& suite, std::size_t threads, std::string_view prefix, bool judged) {
  Row row{fmt::format("{}append, sync each, {} blocking", prefix, Threads(threads)),
          "records/s",
          fmt::format("one record of 500..1,024 B random a call, each thread its own topic or partition; ours kDisk; "
                      "walrus SyncEach; bound: {} / median synced overwrite of the group's bytes",
                      threads),
          Better::kHigher,
          {}};
  if (!suite.Wants(row)) return;
  auto payloads = PayloadsOf(suite, threads);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), static_cast<std::int32_t>(threads));
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  std::size_t group_bytes = 4096;
  std::vector<Side> sides = {
      {"millrace kDisk",
       [&] {
         const EngineStats before = engine->Stats();
         const double rate = BlockingRate(engine, payloads, 30'000 / threads, Durability::kDisk);
         const EngineStats after = engine->Stats();
         group_bytes = (after.appended_bytes - before.appended_bytes) / (after.wal_syncs - before.wal_syncs);
         return rate;
       }},
      {fmt::format("{} / T_sync", threads),
       [&] { return static_cast<double>(threads) * 1e6 / MedianSyncUs(raw, group_bytes, 1500); }}};
  AddWalrus(suite, "walrus SyncEach", "each", "strict", sides, [&](WalrusPeer& peer) {
    const std::uint64_t each = 20'000 / threads;
    return static_cast<double>(threads * each) / peer.Ask(fmt::format("append {} {}", threads, each))[0];
  });
  if (judged) row.goals = {{1, 0.5}};
  if (judged && sides.size() > 2) row.goals.push_back({2, 2.0});
  suite.Compare(row, sides);
}

void MeasureInFlight(Suite& suite) {
  constexpr std::size_t kThreads = 10;
  Row row{"append, sync each, 10 threads with 16 in flight each",
          "records/s",
          "as the blocking row, by AppendAsync; bound: records of 256 KiB / median synced overwrite of 256 KiB",
          Better::kHigher,
          {}};
  if (!suite.Wants(row)) return;
  auto payloads = PayloadsOf(suite, kThreads);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), kThreads);
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  constexpr double kGroup = (256 << 10) / NumberedPayloads::kMeanBytes;
  std::vector<Side> sides = {{"millrace kDisk", [&] { return InFlightRate(engine, payloads, 20'000, 16); }},
                             {"256 KiB / T_sync", [&] { return kGroup * 1e6 / MedianSyncUs(raw, 256 << 10, 500); }}};
  AddWalrus(suite, "walrus SyncEach, blocking", "each", "strict", sides,
            [&](WalrusPeer& peer) { return 20'000 / peer.Ask("append 10 2000")[0]; });
  if (sides.size() > 2) row.goals = {{2, 10.0}};
  suite.Compare(row, sides);
}

void MeasureBatches(Suite& suite, std::size_t length, double goal) {
  Row row{
      fmt::format("append, synced batches of {}", length),
      "records/s",
      fmt::format("1 thread, one append of {} records of 500..1,024 B random; ours kDisk; walrus batch append, which "
                  "always syncs; raw: synced overwrites of the same bytes",
                  length),
      Better::kHigher,
      {{1, 0.6}}};
  if (!suite.Wants(row)) return;
  NumberedPayloads payloads(suite.seed());
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), 1);
  RecycledFile raw(suite.FreshDirectory("raw") / "file", kRawFileBytes, suite.seed());
  const std::size_t batches = 256'000 / length;
  const auto bytes = static_cast<std::size_t>(NumberedPayloads::kMeanBytes * static_cast<double>(length));
  std::vector<Side> sides = {{"millrace kDisk",
                              [&] {
                                const Stopwatch watch;
                                Fill(engine, payloads, 0, batches * length, length, Durability::kDisk);
                                const double seconds = watch.seconds();
                                engine.Forget(1);
                                return static_cast<double>(batches * length) / seconds;
                              }},
                             {"raw synced writes", [&] {
                                const Stopwatch watch;
                                for (std::size_t i = 0; i < batches; ++i) raw.SyncedOverwrite(bytes);
                                return static_cast<double>(batches * length) / watch.seconds();
                              }}};
  AddWalrus(suite, "walrus batch append", "none", "strict", sides, [&](WalrusPeer& peer) {
    const std::size_t count = 64'000 / length;
    return static_cast<double>(count * length) / peer.Ask(fmt::format("batch 1 {} {}", length, count))[0];
  });
  if (sides.size() > 2) row.goals.push_back({2, goal});
  suite.Compare(row, sides);
}

}  // namespace

void MeasureAppends(Suite& suite) {
  MeasureUnsynced(suite, 1, "", kUnsyncedRecords, true);
  MeasureUnsynced(suite, 10, "", kUnsyncedRecords, true);
  MeasureSynced(suite, 10, "", true);
  MeasureInFlight(suite);
  MeasureBatches(suite, 256, 7.0);
  MeasureBatches(suite, 2000, 10.0);
}

void MeasureScaling(Suite& suite) {
  for (const std::size_t threads : {1, 2, 4, 6, 8, 10}) {
    MeasureUnsynced(suite, threads, "scaling: ", kUnsyncedRecords / 2, false);
  }
  for (const std::size_t threads : {1, 2, 4, 6, 8, 10}) MeasureSynced(suite, threads, "scaling: ", false);
}

}  // namespace millrace::bench
