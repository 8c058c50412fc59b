// A log and its object store: what it asks of it, what an append that waits for it costs, and how long it takes to go
// on from it alone. The large rows are as large as --percent says.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/harness/many_segments.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"
#include "engine/log_restore.h"
#include "engine/stepped_engine.h"
#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/system_clock.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "meta/sqlite_metadata_store.h"
#include "segment/object_directory.h"
#include "store/memory_object_store.h"
#include "store/metered_object_store.h"
#include "tier/log_snapshots.h"
#include "tier/offset_ceiling.h"
#include "tier/store_claim.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::chrono::milliseconds kDelay{30};
constexpr std::string_view kIdentity = "00112233445566778899aabbccddeeff";

/// Answers each request late.
class SlowStore final : public ForwardingObjectStore {
 public:
  explicit SlowStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}

 protected:
  Result<void> Around(const Subject& /*subject*/, const std::function<Result<void>()>& request) override {
    std::this_thread::sleep_for(kDelay);
    return request();
  }
};

// What is asked of the store.

/// An engine in virtual time, whose requests are counted. It has claimed its store, and put its first object.
class Counted {
 public:
  Counted(const std::filesystem::path& directory, std::int32_t partitions)
      : store_(std::make_shared<MeteredObjectStore>(std::make_shared<MemoryObjectStore>(clock_.get()))) {
    EngineOptions options;
    options.data_dir = directory / "engine";
    options.sync = SyncPolicy::None();
    options.clock = clock_;
    options.objects = store_;
    engine_ = OrDie(SteppedEngine::Open(std::move(options)), "open");
    OrDie(engine_->CreateTopic("t", {.partitions = partitions}), "create topic");
    const Record record{.value = "first"};
    Append(0, {&record, 1});
    OrDie(engine_->Upload(), "upload");
    Step(std::chrono::seconds(1));
  }
  ~Counted() { OrDie(engine_->Close(), "close"); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  void Append(std::int32_t partition, std::span<const Record> records) {
    OrDie(engine_->Append({"t", PartitionId(partition)}, records, {.durability = Durability::kOs}), "append");
  }
  void Step(std::chrono::seconds seconds) {
    clock_->Advance(seconds);
    while (OrDie(engine_.steps().uploader.UploadOnce(), "upload")) {
    }
    if (++steps_ % 60 != 0) return;
    OrDie(engine_.housekeeper().KeepOnce(), "keep");
    OrDie(engine_.steps().snapshots.PutIfDue(engine_.steps().uploader.objects()), "snapshot");
    OrDie(engine_->Recycle(), "recycle");
  }
  void Upload() { OrDie(engine_->Upload(), "upload"); }
  [[nodiscard]] ObjectRequestCounts Counts() const { return store_->Counts(); }

 private:
  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  std::shared_ptr<MeteredObjectStore> store_;
  SteppedEngine engine_;
  std::uint64_t steps_ = 0;
};

void MeasureIngest(Suite& suite) {
  constexpr std::size_t kRecordsASecond = 1'000;
  constexpr std::int32_t kPartitions = 10;
  const auto seconds = static_cast<int>(std::max<std::size_t>(suite.Scaled(220), 10));
  const std::string workload = fmt::format(
      "10 MB/s of 1 KiB random records over 10 partitions for {} s, default upload settings; virtual time", seconds);
  const Row puts{"store: PUTs a GiB of steady ingest", "PUTs/GiB", workload, Better::kLower, {{{}, 17}}, Rounds::kOne};
  const Row gets{"store: GETs a GiB of steady ingest", "GETs/GiB", workload, Better::kLower, {{{}, 1}}, Rounds::kOne};
  const Row others{"store: other requests a GiB", "requests/GiB", workload, Better::kLower, {{{}, 0.1}}, Rounds::kOne};
  const Row idle{"store: idle for an hour",
                 "requests",
                 "the engine of the rows above, with everything uploaded; virtual time",
                 Better::kLower,
                 {{{}, 0}},
                 Rounds::kOne};
  if (!suite.Wants(puts) && !suite.Wants(gets) && !suite.Wants(others) && !suite.Wants(idle)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  Counted engine(suite.FreshDirectory("ingest"), kPartitions);
  const ObjectRequestCounts before = engine.Counts();
  std::size_t batch = 0;
  for (int second = 0; second < seconds; ++second) {
    for (std::int32_t partition = 0; partition < kPartitions; ++partition)
      engine.Append(partition, payloads.Batch(batch++, kRecordsASecond));
    engine.Step(std::chrono::seconds(1));
  }
  engine.Upload();
  const ObjectRequestCounts after = engine.Counts();
  const double gib = static_cast<double>(kRecordsASecond * kPartitions) * seconds * 1024 / (1 << 30);
  const auto a_gib = [&](std::uint64_t now, std::uint64_t then) { return static_cast<double>(now - then) / gib; };
  suite.Compare(puts, {{"millrace", [&] { return a_gib(after.puts, before.puts); }}});
  suite.Compare(gets, {{"millrace", [&] { return a_gib(after.gets, before.gets); }}});
  suite.Compare(others, {{"millrace", [&] {
                            return a_gib(after.lists + after.heads + after.deletes,
                                         before.lists + before.heads + before.deletes);
                          }}});
  // What the ingest has set off for later: snapshots of it.
  for (int minute = 0; minute < 120; ++minute) engine.Step(std::chrono::minutes(1));
  const ObjectRequestCounts settled = engine.Counts();
  for (int minute = 0; minute < 60; ++minute) engine.Step(std::chrono::minutes(1));
  suite.Compare(idle,
                {{"millrace", [&] { return static_cast<double>(engine.Counts().requests() - settled.requests()); }}});
}

void MeasureTrickle(Suite& suite) {
  for (const std::int32_t partitions : {1, 10, 100, 1'000}) {
    const Row row{fmt::format("store: PUTs an hour of a trickle, {} partitions", partitions),
                  "PUTs",
                  "a record each 10 s to each partition, upload.segment_age_max of 60 s; virtual time",
                  Better::kLower,
                  {{1, 1.05}},
                  Rounds::kOne};
    if (!suite.Wants(row)) continue;
    suite.Compare(row, {{"millrace",
                         [&] {
                           Counted engine(suite.FreshDirectory("trickle"), partitions);
                           const std::uint64_t before = engine.Counts().puts;
                           const Record record{.value = "a line of a log that says little"};
                           for (int second = 0; second < 3'600; ++second) {
                             for (std::int32_t i = 0; second % 10 == 0 && i < partitions; ++i)
                               engine.Append(i, {&record, 1});
                             engine.Step(std::chrono::seconds(1));
                           }
                           return static_cast<double>(engine.Counts().puts - before);
                         }},
                        {"3600 / age", [] { return 60.0; }}});
  }
}

// What an append costs that waits for the store.

double Median(std::vector<double> values) { return Summarize(std::move(values)).median; }

/// One PUT, one GET that finds nothing, one commit of an object and its segment.
double BareCommit(const std::filesystem::path& directory, ObjectStore& store, std::size_t count,
                  const Payloads& payloads) {
  PosixFileSystem file_system;
  auto metadata = OrDie(SqliteMetadataStore::Open(directory / "bare.sqlite", file_system), "metadata");
  const Catalog catalog(*metadata);
  const TopicId topic = OrDie(catalog.CreateTopic("t", {}, "", 1), "create topic").id;
  const PartitionRow row = OrDie(catalog.Partitions(topic), "partitions").at(0);
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    ObjectRow object{.key = "bare/" + std::to_string(i), .size_bytes = 1'024};
    object.id[0] = static_cast<std::uint8_t>(i + 1);
    object.id[1] = static_cast<std::uint8_t>((i + 1) >> 8);
    OrDie(catalog.PrepareObject(object), "prepare");
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(payloads.value(i)));
    const auto offset = static_cast<std::int64_t>(i);
    const SegmentCommit commit{.segment = {.partition = row.key,
                                           .base = Offset(offset),
                                           .end = Offset(offset + 1),
                                           .object = object.id,
                                           .byte_size = 1'024,
                                           .records = 1},
                               .epoch = row.epoch};
    const Stopwatch watch;
    OrDie(store.Put(object.key, {&bytes, 1}, PutMode::kOverwrite), "put");
    if (store.Get("bare/none", {0, 1})) Die("a key that was never put is there");
    OrDie(catalog.CommitSegments(object, {&commit, 1}), "commit");
    times.push_back(watch.milliseconds());
  }
  OrDie(metadata->Close(), "close");
  return Median(std::move(times));
}

void MeasureAppends(Suite& suite) {
  const std::size_t count = std::max<std::size_t>(suite.Scaled(100), 5);
  const Row latency{"store: append at `object`, p50",
                    "ms",
                    fmt::format("{} appends of 1 KiB, one after the other, over a store in memory that answers each "
                                "request after 30 ms",
                                count),
                    Better::kLower,
                    {{1, 1.2}}};
  const Row writers{"store: appends at `object`, 100 writers",
                    "appends/s",
                    "appends of 1 KiB at `object`, each writer one after the other, over the store of the row above",
                    Better::kHigher,
                    {{1, 80}}};
  if (!suite.Wants(latency) && !suite.Wants(writers)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  const auto store = std::make_shared<SlowStore>(std::make_shared<MemoryObjectStore>());
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  options.objects = store;
  OpenedEngine engine(options, 1);
  engine.Append(OpenedEngine::Partition(0), {&payloads.record(0), 1}, Durability::kObject);  // and the claim
  const auto append = [&](std::size_t i) {
    const Stopwatch watch;
    engine.Append(OpenedEngine::Partition(0), {&payloads.record(i), 1}, Durability::kObject);
    return watch.milliseconds();
  };
  suite.Compare(latency, {{"millrace",
                           [&] {
                             std::vector<double> times;
                             for (std::size_t i = 0; i < count; ++i) times.push_back(append(i));
                             return Median(std::move(times));
                           }},
                          {"one PUT, one GET, one commit",
                           [&] { return BareCommit(suite.FreshDirectory("bare"), *store, count, payloads); }}});
  const auto rate = [&](std::size_t threads) {
    const std::size_t each = std::max<std::size_t>(count / 5, 3);
    const double seconds = TimeThreads(threads, [&](std::size_t thread) {
      for (std::size_t i = 0; i < each; ++i) append(thread * each + i);
    });
    return static_cast<double>(threads * each) / seconds;
  };
  suite.Compare(writers, {{"millrace", [&] { return rate(100); }}, {"one writer", [&] { return rate(1); }}});
}

// How long it takes to go on from the store alone.

/// A log in a store in memory, without an engine: rows, a claim, and what a row needs of it.
struct StoredLog {
  explicit StoredLog(std::uint64_t seed) : random(seed) {
    OrDie(Ownership(*rows).SetIdentity(kIdentity), "identity");
    topic = OrDie(Catalog(*rows).CreateTopic("t", {}, std::string(32, 'a'), 1), "create topic");
    OrDie(claim.Hold(), "claim");
  }
  PartitionKey Key() const { return {topic.id, PartitionId(0)}; }
  RestoreReport Restore(const std::filesystem::path& directory) const {
    EngineOptions options;
    options.data_dir = directory / "restored";
    options.objects = std::make_shared<SlowStore>(memory);
    return OrDie(RestoreLog(std::move(options), {}), "restore");
  }

  SystemClock clock;
  SeededRandom random;
  std::shared_ptr<MemoryObjectStore> memory = std::make_shared<MemoryObjectStore>();
  std::shared_ptr<MemoryMetadataStore> rows = std::make_shared<MemoryMetadataStore>();
  TopicRow topic;
  StoreClaim claim{{.host = "bench"}, {"", std::string(kIdentity)}, *memory, *rows, clock, random};
  LogSnapshots snapshots{claim, *memory, *rows, clock};
};

void MeasureSnapshots(Suite& suite) {
  const std::size_t segments = std::max<std::size_t>(suite.Scaled(1'000'000), 1'000);
  const std::string workload = fmt::format("{} segments of one partition, a thousand an object", segments);
  const double share = static_cast<double>(segments) / 1e6;
  const Row size{
      "store: snapshot of 1 M segments, size", "MB", workload, Better::kLower, {{{}, 12 * share}}, Rounds::kOne};
  const Row cpu{"store: snapshot of 1 M segments, processor time",
                "s",
                workload + ", in memory; reading the rows, compression and checksums",
                Better::kLower,
                {{{}, share}}};
  const Row restore{"store: restore of 1 M segments",
                    "s",
                    workload + ", from a snapshot, into SQLite; each request answered after 30 ms",
                    Better::kLower,
                    {{{}, 10}}};
  if (!suite.Wants(size) && !suite.Wants(cpu) && !suite.Wants(restore)) return;
  StoredLog log(suite.seed());
  CommitManySegments(*log.rows, log.Key(), segments);
  OrDie(log.snapshots.Put(), "snapshot");
  suite.Compare(size, {{"millrace", [&] {
                          std::uint64_t bytes = 0;
                          const auto listed =
                              OrDie(log.memory->List(log.claim.keys().Snapshots(), "", 10), "list").objects;
                          for (const ObjectDescription& one : listed) bytes = std::max(bytes, one.size_bytes);
                          return static_cast<double>(bytes) / 1e6;
                        }}});
  suite.Compare(cpu, {{"millrace", [&] {
                         const std::clock_t begin = std::clock();
                         OrDie(log.snapshots.Put(), "snapshot");
                         return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
                       }}});
  suite.Compare(restore, {{"millrace", [&] {
                             const auto directory = suite.FreshDirectory("restore");
                             const Stopwatch watch;
                             const RestoreReport report = log.Restore(directory);
                             if (report.segments != segments) Die("the restore has not all segments");
                             return watch.seconds();
                           }}});
}

void MeasureDirectories(Suite& suite) {
  const std::size_t objects = std::clamp<std::size_t>(suite.Scaled(10'000), 100, 60'000);
  const Row row{
      "store: restore of 10,000 segments from directories alone",
      "s",
      fmt::format("{} objects of a segment each, no snapshot; each request answered after 30 ms, 64 at once", objects),
      Better::kLower,
      {{{}, 10}},
      Rounds::kOne};
  if (!suite.Wants(row)) return;
  StoredLog log(suite.seed());
  const SharedBytes body = SharedBytes::Copy(AsBytes(std::string(1'000, 's')));
  for (std::size_t i = 0; i < objects; ++i) {
    const ObjectName name = OrDie(log.claim.Begin(), "begin");
    const Offset base(static_cast<std::int64_t>(i) * kRecordsPerSegment), end = base + kRecordsPerSegment;
    ObjectDirectory directory{.identity = StoredIdOf(kIdentity),
                              .generation = name.generation,
                              .nonce = name.nonce,
                              .sequence = name.sequence,
                              .settled = name.sequence};
    directory.topics.push_back({.uuid = StoredIdOf(log.topic.uuid), .number = log.topic.id, .name = "t"});
    directory.entries.push_back({.byte_size = body.size(),
                                 .base = base,
                                 .end = end,
                                 .records = static_cast<std::uint64_t>(kRecordsPerSegment),
                                 .ceiling = CeilingOver(end)});
    const SharedBytes pieces[] = {body, SharedBytes::Copy(EncodeObjectDirectory(directory))};
    OrDie(log.memory->Put(log.claim.keys().Object(name), pieces, PutMode::kOverwrite), "put");
    log.claim.Settle(name);
  }
  suite.Compare(row, {{"millrace", [&] {
                         const auto directory = suite.FreshDirectory("restore");
                         const Stopwatch watch;
                         const RestoreReport report = log.Restore(directory);
                         if (report.linked != objects) Die("the restore has not all objects");
                         return watch.seconds();
                       }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("store", argc, argv);
  MeasureIngest(suite);
  MeasureTrickle(suite);
  MeasureAppends(suite);
  MeasureSnapshots(suite);
  MeasureDirectories(suite);
  return 0;
}
