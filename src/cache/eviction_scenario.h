// What an order of eviction is measured by, for tests and benchmarks: readers who come back to some blocks more than to
// others, beside a backfill that touches everything once. Deterministic; no bytes, only their sizes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cache/sharded_cache.h"
#include "env/seeded_random.h"

namespace millrace {

struct EvictionScenario {
  EvictionPolicy policy = EvictionPolicy::kLru;
  std::uint64_t cache_blocks = 2000;  // of 64 KiB
  std::uint64_t hot_blocks = 2000;    // read by rank, Zipf(1.0)
  std::uint64_t scan_blocks = 20'000;
  double scan_share = 0.5;  // of all reads, while the scan goes on
  InsertHint scan_hint = InsertHint::kScan;
  std::uint64_t seed = 1;
};

/// Share of hits, 0 to 1, of the readers who come back: before the scan, and while it goes on.
struct EvictionOutcome {
  double alone = 0, beside_scan = 0;
  [[nodiscard]] double loss() const { return alone - beside_scan; }
};

class ZipfRanks {
 public:
  explicit ZipfRanks(std::uint64_t ranks) {
    double sum = 0;
    for (std::uint64_t rank = 1; rank <= ranks; ++rank) sums_.push_back(sum += 1.0 / static_cast<double>(rank));
  }
  std::uint64_t Draw(Random& random) const {
    const double at = static_cast<double>(random.Next() >> 11) * 0x1p-53 * sums_.back();
    return static_cast<std::uint64_t>(std::ranges::lower_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

inline EvictionOutcome RunEviction(const EvictionScenario& scenario) {
  constexpr std::uint64_t kBlockBytes = 64 << 10, kScanned = 1ull << 40;
  struct Mixed {
    std::size_t operator()(std::uint64_t key) const { return SeededRandom::Mix(key + 1); }
  };
  ShardedCache<std::uint64_t, char, Mixed> cache(scenario.cache_blocks * kBlockBytes, scenario.policy);
  SeededRandom random(scenario.seed);
  const ZipfRanks ranks(scenario.hot_blocks);
  const auto read = [&](std::uint64_t block, InsertHint hint) {
    if (cache.Find(block, hint)) return 1;
    cache.Insert(block, 0, kBlockBytes, hint);
    return 0;
  };
  const auto read_hot = [&] { return read(ranks.Draw(random), InsertHint::kRandom); };

  for (std::uint64_t i = 0; i < 30 * scenario.cache_blocks; ++i) read_hot();
  std::uint64_t hits = 0, reads = 0;
  for (; reads < 20 * scenario.cache_blocks; ++reads) hits += static_cast<unsigned>(read_hot());
  EvictionOutcome outcome{.alone = static_cast<double>(hits) / static_cast<double>(reads)};
  hits = reads = 0;
  for (std::uint64_t scanned = 0; scanned < scenario.scan_blocks;) {
    if (static_cast<double>(random.Next() >> 11) * 0x1p-53 < scenario.scan_share) {
      read(kScanned + scanned++, scenario.scan_hint);
    } else {
      hits += static_cast<unsigned>(read_hot());
      ++reads;
    }
  }
  outcome.beside_scan = reads == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(reads);
  return outcome;
}

}  // namespace millrace
