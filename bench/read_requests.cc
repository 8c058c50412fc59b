// What the store charges for: requests of a full scan, of steady ingest, and of an engine with nothing to do.
#include <fmt/core.h>

#include <memory>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_clock.h"
#include "test/s3/sim_s3_transport.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

void MeasureScan(Suite& suite) {
  constexpr std::size_t kSegments = 32;
  constexpr const char* kWorkload =
      "32 segments of 64 MiB, 1 KiB random records, 256 a batch, one reader from begin to end, Engine::ReadBatches of "
      "1 "
      "MiB, caches empty, 30 ms and 80 MB/s a connection; as the store counts, 1 GB = 10^9 bytes of batches served";
  const Row gets{"full scan, GETs a GB", "GETs/GB", kWorkload, Better::kLower, {{{}, 140}}, Rounds::kOne};
  const Row bytes{"full scan, bytes fetched / served", "x", kWorkload, Better::kLower, {{{}, 1.05}}, Rounds::kOne};
  const Row other{
      "full scan, requests that are no GET", "requests", kWorkload, Better::kLower, {{{}, 0}}, Rounds::kOne};
  if (!suite.Wants(gets) && !suite.Wants(bytes) && !suite.Wants(other)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = kSegments},
                          payloads.Batch(0, payloads.count()));
  store.AnswerLate();
  const auto engine = topic.OpenCold();
  const SimS3Counts before = store.Counts();
  std::uint64_t served = 0;
  for (Offset at(0); at < Offset(topic.records());) {
    const BatchReadResult result = OrDie((*engine)->ReadBatches(OpenedEngine::Partition(0), at), "read");
    if (result.next <= at) Die("a read came back empty before the end");
    for (const SharedBytes& batch : result.batches) served += batch.size();
    at = result.next;
  }
  const SimS3Counts after = store.Counts();
  const double gigabytes = static_cast<double>(served) / 1e9;
  const double cost = after.CostUsd() - before.CostUsd();
  fmt::print("\n  {:.2f} GB served for ${:.6f} at list prices\n", gigabytes, cost);
  suite.Compare(gets, {{"millrace", [&] { return static_cast<double>(GetsSince(before, after)) / gigabytes; }}});
  suite.Compare(bytes, {{"millrace", [&] {
                           return static_cast<double>(after.bytes_out - before.bytes_out) / static_cast<double>(served);
                         }}});
  suite.Compare(other, {{"millrace",
                         [&] { return static_cast<double>(after.all() - before.all() - GetsSince(before, after)); }}});
}

struct Ingested {
  double gigabytes = 0;
  SimS3Counts made, idle;
};

/// A virtual clock, the engine's own steps after every second of it.
Ingested Ingest(const std::filesystem::path& directory, std::uint64_t seed) {
  constexpr std::int32_t kPartitions = 100;
  constexpr int kSeconds = 200, kIdleMinutes = 60;
  constexpr std::size_t kRecordsASecond = 100;  // of each partition: 10.24 MB/s in all
  const auto clock = std::make_shared<SimClock>();
  const Payloads payloads(seed, Sizes::kOneKibibyte);
  SimS3 s3(seed, *clock);
  s3.CreateBucket("millrace");
  EngineOptions options;
  options.data_dir = directory / "engine";
  options.sync = SyncPolicy::None();
  options.clock = clock;
  options.objects = OpenFarStore(FarSettings(Client::kOfEngine, "127.0.0.1", 9000),
                                 std::make_shared<SimS3Transport>(s3, *clock), *clock);
  const auto engine = OrDie(SteppedEngine::Open(std::move(options)), "open");
  OrDie(engine->CreateTopic("t", {.partitions = kPartitions}), "create topic");
  const auto step = [&](std::chrono::seconds seconds) {
    clock->Advance(seconds);
    while (OrDie(engine.steps().uploader.UploadOnce(), "upload")) {
    }
    OrDie(engine.housekeeper().KeepOnce(), "keep");
  };
  // What an engine does once: before its first object it asks the store whose it is.
  std::size_t batch = 0;
  OrDie(engine->Append({"t", PartitionId(0)}, payloads.Batch(batch++, kRecordsASecond), {}), "append");
  OrDie(engine->Upload(), "upload");
  step(std::chrono::seconds(1));
  const SimS3Counts before = s3.Counts();
  Ingested ingested;
  for (int second = 0; second < kSeconds; ++second) {
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      OrDie(engine->Append({"t", PartitionId(partition)}, payloads.Batch(batch++, kRecordsASecond),
                           {.durability = Durability::kOs}),
            "append");
    }
    ingested.gigabytes += kPartitions * kRecordsASecond * 1024 / 1e9;
    step(std::chrono::seconds(1));
  }
  OrDie(engine->Upload(), "upload");
  if (engine->Stats().upload_pending_bytes != 0) Die("something was not uploaded");
  const SimS3Counts after = s3.Counts();
  for (int minute = 0; minute < kIdleMinutes; ++minute) step(std::chrono::minutes(1));
  const SimS3Counts end = s3.Counts();
  OrDie(engine->Close(), "close");
  for (std::size_t verb = 0; verb < kS3Verbs; ++verb) {
    ingested.made.requests[verb] = after.requests[verb] - before.requests[verb];
    ingested.idle.requests[verb] = end.requests[verb] - after.requests[verb];
  }
  ingested.made.aborts = after.aborts - before.aborts;
  return ingested;
}

void MeasureIngest(Suite& suite) {
  constexpr const char* kWorkload =
      "10 MB/s of 1 KiB random records over 100 partitions for 200 s, default upload settings, as the store counts; "
      "virtual time, the engine's steps after every second";
  const Row puts{
      "steady ingest, PUT-class requests a GB", "PUTs/GB", kWorkload, Better::kLower, {{{}, 24}}, Rounds::kOne};
  const Row others{"steady ingest, other requests",
                   "requests",
                   "the ingest of the row above: lists, heads and gets",
                   Better::kLower,
                   {{{}, 0}},
                   Rounds::kOne};
  const Row idle{"idle for an hour, requests",
                 "requests",
                 "the engine of the row above, everything uploaded, an hour without appends and reads",
                 Better::kLower,
                 {{{}, 0}},
                 Rounds::kOne};
  if (!suite.Wants(puts) && !suite.Wants(others) && !suite.Wants(idle)) return;
  const Ingested ingested = Ingest(suite.FreshDirectory("ingest"), suite.seed());
  suite.Compare(puts,
                {{"millrace", [&] { return static_cast<double>(ingested.made.put_class()) / ingested.gigabytes; }}});
  suite.Compare(others,
                {{"millrace", [&] { return static_cast<double>(ingested.made.all() - ingested.made.put_class()); }}});
  suite.Compare(idle, {{"millrace", [&] { return static_cast<double>(ingested.idle.all()); }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_requests", argc, argv);
  MeasureScan(suite);
  MeasureIngest(suite);
  return 0;
}
