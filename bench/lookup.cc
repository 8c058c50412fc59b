// Which segment holds an offset: the same question to a map of a thousand segments and to one of a million.
#include <fmt/core.h>

#include <random>
#include <vector>

#include "bench/harness/many_segments.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"
#include "env/system_clock.h"
#include "fetch/segment_map.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::size_t kLookups = 200'000;

/// A loaded map, and random offsets to ask for.
class FilledMap {
 public:
  FilledMap(std::size_t segments, std::uint64_t seed)
      : partition_{OrDie(Catalog(metadata_).CreateTopic("t", {}, std::string(32, '0'), 0), "topic").id,
                   PartitionId(0)} {
    CommitManySegments(metadata_, partition_, segments);
    map_ = std::make_unique<SegmentMap>(metadata_, partition_, clock_);
    std::mt19937_64 random(seed);
    const auto end = static_cast<std::uint64_t>(segments) * kRecordsPerSegment;
    for (std::size_t i = 0; i < kLookups; ++i) wanted_.emplace_back(static_cast<std::int64_t>(random() % end));
    OrDie(map_->Find(Offset(0)), "load");
  }

  /// Nanoseconds a lookup.
  double Measure() {
    const Stopwatch watch;
    for (const Offset offset : wanted_) {
      const auto found = OrDie(map_->Find(offset), "find");
      if (!found || offset < found->base || offset >= found->end) Die("a lookup found the wrong segment");
    }
    return watch.seconds() * 1e9 / kLookups;
  }
  [[nodiscard]] double bytes_per_segment() const {
    return static_cast<double>(map_->memory_bytes()) / static_cast<double>(map_->count());
  }

 private:
  MemoryMetadataStore metadata_;
  SystemClock clock_;
  PartitionKey partition_;
  std::unique_ptr<SegmentMap> map_;
  std::vector<Offset> wanted_;
};

}  // namespace

int main(int argc, char** argv) {
  Suite suite("lookup", argc, argv);
  FilledMap large(1'000'000, suite.seed()), small(1'000, suite.seed());
  suite.Compare({"lookup among 1 M segments",
                 "ns",
                 "SegmentMap::Find of 200,000 random offsets, result checked, 1 thread",
                 Better::kLower,
                 {{1, 1.5}, {{}, 1000}}},
                {{"1 M segments", [&] { return large.Measure(); }}, {"1 k segments", [&] { return small.Measure(); }}});
  suite.Compare({"segment map, memory", "B/segment", "1 M segments, loaded", Better::kLower, {{{}, 48}}},
                {{"1 M segments", [&] { return large.bytes_per_segment(); }}});
  return 0;
}
