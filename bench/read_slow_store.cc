// Reads from a store of which one GET in a hundred takes two seconds longer: in virtual time, so that counts and times
// are exact.
#include <fmt/core.h>

#include <memory>
#include <random>
#include <vector>

#include "base/histogram.h"
#include "bench/harness/payloads.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_clock.h"
#include "test/s3/sim_s3_transport.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::size_t kReads = 20'000;

struct Outcome {
  double p50_ms = 0, p999_ms = 0, most_ms = 0;
  double gets_a_read = 0;
};

/// One engine in virtual time that keeps nothing it reads: every read is one GET.
class World {
 public:
  World(const std::filesystem::path& directory, std::uint64_t seed, Hedging hedging)
      : random_(seed), payloads_(seed, Sizes::kOneKibibyte), s3_(seed, *clock_) {
    s3_.CreateBucket("millrace");
    S3Settings settings = FarSettings(Client::kOfEngine, "127.0.0.1", 9000);
    settings.hedging = hedging;
    EngineOptions options = QuietOptions(directory / "engine");
    options.sync = SyncPolicy::None();
    options.clock = clock_;
    options.objects = OpenFarStore(settings, std::make_shared<SimS3Transport>(s3_, *clock_), *clock_);
    options.read.cache_max_size = 0;
    options.read.block_cache_max_size = 0;
    engine_ = OrDie(SteppedEngine::Open(std::move(options)), "open");
    OrDie(engine_->CreateTopic("t", {}), "create topic");
    for (std::int64_t batch = 0; batch < kRecords / kBatch; ++batch)
      OrDie(engine_->Append(kPartition, payloads_.Batch(static_cast<std::size_t>(batch), kBatch),
                            {.durability = Durability::kOs}),
            "append");
    OrDie(engine_->Upload(), "upload");
    OrDie(engine_->Recycle(), "recycle");
    OrDie(engine_->Read(kPartition, Offset(0), {.records_max = 1}), "read");
  }
  ~World() { OrDie(engine_->Close(), "close"); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Outcome Run() {
    SimS3Behaviour behaviour{
        .first_byte = kFirstByte, .first_byte_sigma = 0.2, .bytes_per_second = kConnectionBytesPerSecond};
    behaviour.Set(S3Fault::kSlowGet, 10'000);
    s3_.SetBehaviour(behaviour);
    const SimS3Counts before = s3_.Counts();
    Histogram took;
    for (std::size_t i = 0; i < kReads; ++i) {
      const Offset at(static_cast<std::int64_t>(random_() % (kRecords - 1)));
      const std::chrono::nanoseconds begun = clock_->Monotonic();
      const ReadResult result = OrDie(engine_->Read(kPartition, at, {.records_max = 1}), "read");
      took.Record(static_cast<std::uint64_t>((clock_->Monotonic() - begun).count()));
      if (result.records.size() != 1 || result.records[0].offset != at) Die("a read brought other records");
      if (result.explanation.requests != 1) Die("a read made another number of requests than one");
    }
    return {.p50_ms = static_cast<double>(took.Percentile(50)) / 1e6,
            .p999_ms = static_cast<double>(took.Percentile(99.9)) / 1e6,
            .most_ms = static_cast<double>(took.max()) / 1e6,
            .gets_a_read = static_cast<double>(GetsSince(before, s3_.Counts())) / kReads};
  }

 private:
  static constexpr std::int64_t kRecords = 16 * 1024, kBatch = 256;
  static inline const TopicPartition kPartition{"t", PartitionId(0)};

  const std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  std::mt19937_64 random_;
  const Payloads payloads_;
  SimS3 s3_;
  SteppedEngine engine_;
};

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_slow_store", argc, argv);
  const std::string workload = fmt::format(
      "{} reads of one record at random offsets, one chunk of a MiB each, nothing cached; first byte after 30 ms "
      "(log-normal, sigma 0.2), 80 MB/s, 1 % of the GETs 2 s later; virtual time",
      kReads);
  const Row tail{"slow store, p99.9", "ms", workload, Better::kLower, {{1, 3}}, Rounds::kOne};
  const Row extra{"slow store, GETs a read", "GETs", workload, Better::kLower, {{{}, 1.05}}, Rounds::kOne};
  if (!suite.Wants(tail) && !suite.Wants(extra)) return 0;
  const Outcome hedged = World(suite.FreshDirectory("hedged"), suite.seed(), Hedging::kOn).Run();
  const Outcome plain = World(suite.FreshDirectory("plain"), suite.seed(), Hedging::kOff).Run();
  fmt::print("\n  slowest of all: {:.0f} ms, without second requests {:.0f} ms\n", hedged.most_ms, plain.most_ms);
  suite.Compare(tail, {{"millrace, p99.9", [&] { return hedged.p999_ms; }},
                       {"millrace, p50", [&] { return hedged.p50_ms; }},
                       {"without second requests, p99.9", [&] { return plain.p999_ms; }}});
  suite.Compare(extra, {{"millrace", [&] { return hedged.gets_a_read; }},
                        {"without second requests", [&] { return plain.gets_a_read; }}});
  return 0;
}
