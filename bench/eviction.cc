// Which order of eviction keeps what is read again: hit ratios of both policies against the size of the cache, with and
// without a backfill that goes by. Counts hits in a simulation, takes no time.
#include <fmt/core.h>

#include "bench/harness/suite.h"
#include "cache/eviction_scenario.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kHotBlocks = 8000;

double AlonePercent(const EvictionScenario& scenario) { return 100 * RunEviction(scenario).alone; }
double BesidePercent(const EvictionScenario& scenario) { return 100 * RunEviction(scenario).beside_scan; }

void CompareHits(Suite& suite, std::uint64_t cache_blocks, const char* size) {
  EvictionScenario s3fifo{.policy = EvictionPolicy::kS3Fifo,
                          .cache_blocks = cache_blocks,
                          .hot_blocks = kHotBlocks,
                          .scan_blocks = 10 * cache_blocks,
                          .seed = suite.seed()};
  EvictionScenario lru = s3fifo;
  lru.policy = EvictionPolicy::kLru;
  suite.Compare({fmt::format("hit ratio, cache {} of the set", size),
                 "%",
                 "Zipf(1.0) over 8,000 blocks of 64 KiB",
                 Better::kHigher,
                 {{1, 1.0}},
                 Rounds::kOne},
                {{"s3fifo", [=] { return AlonePercent(s3fifo); }}, {"lru", [=] { return AlonePercent(lru); }}});
  suite.Compare({fmt::format("hit ratio beside a backfill, cache {} of the set", size),
                 "%",
                 "the same readers; every second read is of a scan of 10 caches",
                 Better::kHigher,
                 {{1, 1.0}},
                 Rounds::kOne},
                {{"s3fifo", [=] { return BesidePercent(s3fifo); }}, {"lru", [=] { return BesidePercent(lru); }}});
}

/// Dots of a picture, closer together than the rows.
void PlotHits(Suite& suite) {
  constexpr const char* kPicture = "hits-by-cache-size";
  if (!suite.WantsCurve(kPicture)) return;
  for (const EvictionPolicy policy : {EvictionPolicy::kS3Fifo, EvictionPolicy::kLru}) {
    const std::string name = policy == EvictionPolicy::kLru ? "LRU" : "S3-FIFO";
    for (const double percent : {2.0, 4.0, 6.25, 9.0, 12.5, 18.0, 25.0, 35.0, 50.0, 70.0, 85.0, 100.0}) {
      const auto cache_blocks = static_cast<std::uint64_t>(percent / 100 * kHotBlocks);
      const EvictionOutcome outcome = RunEviction({.policy = policy,
                                                   .cache_blocks = cache_blocks,
                                                   .hot_blocks = kHotBlocks,
                                                   .scan_blocks = 10 * cache_blocks,
                                                   .seed = suite.seed()});
      suite.Plot({kPicture, name, percent, 100 * outcome.alone});
      suite.Plot({kPicture, name + " beside a backfill", percent, 100 * outcome.beside_scan});
    }
  }
}

void CompareLoss(Suite& suite, double share, const char* text) {
  EvictionScenario s3fifo{.policy = EvictionPolicy::kS3Fifo, .scan_share = share, .seed = suite.seed()};
  EvictionScenario lru = s3fifo, unannounced = s3fifo;
  lru.policy = EvictionPolicy::kLru;
  unannounced.scan_hint = InsertHint::kRandom;
  const auto loss = [](const EvictionScenario& scenario) { return 100 * RunEviction(scenario).loss(); };
  suite.Compare({fmt::format("hits lost to a backfill, {}", text),
                 "points",
                 "Zipf(1.0) on a set of the cache's size beside a scan of 10 caches",
                 Better::kLower,
                 {{std::nullopt, 3}},
                 Rounds::kOne},
                {{"s3fifo", [=] { return loss(s3fifo); }},
                 {"lru", [=] { return loss(lru); }},
                 {"s3fifo, no lane for streams", [=] { return loss(unannounced); }}});
}

/// Hits in percent of a stream that follows another one `behind` blocks later through a cache that is full.
double FollowerPercent(EvictionPolicy policy, std::uint64_t behind, bool hot_set_too, std::uint64_t seed) {
  constexpr std::uint64_t kCacheBlocks = 2000, kBlockBytes = 64 << 10, kStreamed = 1ull << 40;
  struct Mixed {
    std::size_t operator()(std::uint64_t key) const { return SeededRandom::Mix(key + 1); }
  };
  ShardedCache<std::uint64_t, char, Mixed> cache(kCacheBlocks * kBlockBytes, policy);
  const auto read = [&](std::uint64_t block, InsertHint hint) {
    if (cache.Find(block, hint)) return 1;
    cache.Insert(block, 0, kBlockBytes, hint);
    return 0;
  };
  SeededRandom random(seed);
  const ZipfRanks ranks(kCacheBlocks);
  for (std::uint64_t i = 0; hot_set_too && i < 30 * kCacheBlocks; ++i) read(ranks.Draw(random), InsertHint::kRandom);
  std::uint64_t hits = 0, reads = 0;
  for (std::uint64_t at = 0; at < 10 * kCacheBlocks; ++at) {
    for (int i = 0; hot_set_too && i < 2; ++i) read(ranks.Draw(random), InsertHint::kRandom);
    read(kStreamed + at, InsertHint::kScan);
    if (at < behind) continue;
    const int hit = read(kStreamed + at - behind, InsertHint::kScan);
    if (at < 2 * kCacheBlocks) continue;
    hits += static_cast<unsigned>(hit);
    ++reads;
  }
  return 100 * static_cast<double>(hits) / static_cast<double>(reads);
}

void CompareFollower(Suite& suite, std::uint64_t behind, bool hot_set_too) {
  const auto of = [&](EvictionPolicy policy) {
    return [=, seed = suite.seed()] { return FollowerPercent(policy, behind, hot_set_too, seed); };
  };
  suite.Compare({fmt::format("hits of a stream {} of the cache behind another{}", static_cast<double>(behind) / 2000,
                             hot_set_too ? ", beside a hot set" : ""),
                 "%",
                 hot_set_too ? "cache of 2,000 blocks of 64 KiB; half of all reads Zipf(1.0) on a set of its size"
                             : "cache of 2,000 blocks of 64 KiB, full of the first stream",
                 Better::kHigher,
                 {},
                 Rounds::kOne},
                {{"s3fifo", of(EvictionPolicy::kS3Fifo)}, {"lru", of(EvictionPolicy::kLru)}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("eviction", argc, argv);
  CompareHits(suite, kHotBlocks / 16, "1/16");
  CompareHits(suite, kHotBlocks / 8, "1/8");
  CompareHits(suite, kHotBlocks / 4, "1/4");
  CompareHits(suite, kHotBlocks / 2, "1/2");
  CompareHits(suite, kHotBlocks, "all");
  CompareLoss(suite, 0.2, "a fifth of all reads");
  CompareLoss(suite, 0.5, "half of all reads");
  CompareLoss(suite, 0.8, "four fifths of all reads");
  for (const std::uint64_t behind : {100, 1000}) CompareFollower(suite, behind, false);
  for (const std::uint64_t behind : {40, 100}) CompareFollower(suite, behind, true);
  PlotHits(suite);
}
