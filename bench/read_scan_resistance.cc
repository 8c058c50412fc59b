// What a backfill of ten times the disk cache does to readers who keep coming back to the same chunks.
#include <fmt/core.h>

#include <memory>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"
#include "cache/eviction_scenario.h"
#include "env/seeded_random.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;
constexpr std::uint64_t kHotSegments = 1, kScanSegments = 10, kHotChunks = 64;
constexpr std::uint64_t kCacheBytes = 65 * kMebibyte;  // the hot chunks and the tail of their segment
constexpr std::size_t kReads = 2'560;                  // of the hot set, before the scan
constexpr std::size_t kHotReadsPerScanRead = 4;        // 80 % of all
constexpr std::uint64_t kScanReadBytes = 4 * kMebibyte, kRuns = 3;

/// Share of hits of the hot readers in percent: alone, and while the scan goes on.
struct HitRates {
  double alone = 0, beside_scan = 0;
};

class Workload {
 public:
  Workload(const StoredTopic& topic, EvictionPolicy policy, std::uint64_t seed)
      : topic_(topic), random_(seed), engine_(topic.OpenCold(Options(topic, policy))) {}

  HitRates Run() {
    for (std::size_t i = 0; i < kReads; ++i) ReadHot();
    std::size_t hits = 0;
    for (std::size_t i = 0; i < kReads; ++i) hits += ReadHot();
    HitRates rates{.alone = Percent(hits, kReads)};
    hits = 0;
    std::size_t reads = 0;
    for (Offset at = topic_.segments()[kHotSegments].base; at < Offset(topic_.records());) {
      for (std::size_t i = 0; i < kHotReadsPerScanRead; ++i, ++reads) hits += ReadHot();
      const auto scanned =
          OrDie((*engine_)->ReadBatches(OpenedEngine::Partition(0), at, {.bytes_max = kScanReadBytes}), "read");
      if (scanned.next <= at) Die("the scan stands still");
      at = scanned.next;
    }
    rates.beside_scan = Percent(hits, reads);
    return rates;
  }

 private:
  static EngineOptions Options(const StoredTopic& topic, EvictionPolicy policy) {
    EngineOptions options = topic.Options();
    options.read.cache_max_size = kCacheBytes;
    options.read.block_cache_max_size = 0;
    options.read.eviction = policy;
    return options;
  }
  static double Percent(std::size_t hits, std::size_t reads) {
    return 100.0 * static_cast<double>(hits) / static_cast<double>(reads);
  }

  std::size_t ReadHot() {
    const SegmentDescription& segment = topic_.segments().front();
    const auto records = static_cast<std::uint64_t>(segment.end - segment.base);
    const Offset at(static_cast<std::int64_t>(ranks_.Draw(random_) * records / kHotChunks + 300));
    const ReadResult result = OrDie((*engine_)->Read(OpenedEngine::Partition(0), at, {.records_max = 1}), "read");
    if (result.records.size() != 1) Die("a read brought another number of records");
    topic_.Check(result.records[0], at);
    return result.explanation.bytes.object_store == 0 ? 1 : 0;
  }

  const StoredTopic& topic_;
  SeededRandom random_;
  const ZipfRanks ranks_{kHotChunks};
  const std::unique_ptr<OpenedEngine> engine_;
};

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_scan_resistance", argc, argv);
  constexpr const char* kWorkload =
      "disk cache of 65 MiB, 80 % of the reads of one record by rank, Zipf(1.0), over a hot segment of 64 chunks of a "
      "MiB, 20 % a scan of ten such segments by Engine::ReadBatches of 4 MiB, block cache off, no delay; percentage "
      "points of hits lost against the same without the scan, mean of three";
  const Row ours{"hits lost to a scan, S3-FIFO", "points", kWorkload, Better::kLower, {{{}, 3}}, Rounds::kOne};
  const Row control{
      "hits lost to a scan, LRU as control", "points", kWorkload, Better::kHigher, {{{}, 20}}, Rounds::kOne};
  if (!suite.Wants(ours) && !suite.Wants(control)) return 0;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = kHotSegments + kScanSegments},
                          payloads.Batch(0, payloads.count()));
  const auto lost = [&](EvictionPolicy policy) {
    double lost = 0;
    for (std::uint64_t run = 0; run < kRuns; ++run) {
      const HitRates rates = Workload(topic, policy, suite.seed() + run).Run();
      fmt::print("  hits: {:.1f} % alone, {:.1f} % beside the scan\n", rates.alone, rates.beside_scan);
      lost += (rates.alone - rates.beside_scan) / kRuns;
    }
    return lost;
  };
  suite.Compare(ours, {{"S3-FIFO", [&] { return lost(EvictionPolicy::kS3Fifo); }}});
  suite.Compare(control, {{"LRU", [&] { return lost(EvictionPolicy::kLru); }}});
  return 0;
}
