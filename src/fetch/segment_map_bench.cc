// Lookup with 1,000 and 1,000,000 segments, at random offsets: the table alone, and through the map with its lock. The
// first is to stay within 1.5 of the second, both below 1 us.
#include <benchmark/benchmark.h>

#include <vector>

#include "env/seeded_random.h"
#include "fetch/segment_table.h"

namespace millrace {
namespace {

void BM_SegmentLookup(benchmark::State& state) {
  SeededRandom random(42);
  const PartitionKey key{TopicId(1), PartitionId(0)};
  SegmentTable table(key);
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::int64_t end = at + 60'000 + static_cast<std::int64_t>(random.Below(10'000));
    SegmentRow row{.partition = key,
                   .base = Offset(at),
                   .end = Offset(end),
                   .byte_size = 64 << 20,
                   .records = static_cast<std::uint64_t>(end - at),
                   .timestamp_min_ms = at,
                   .timestamp_max_ms = end};
    row.object[0] = static_cast<std::uint8_t>(i);
    table.Append(row);
    at = end;
  }
  std::vector<Offset> wanted;
  for (int i = 0; i < 1 << 16; ++i)
    wanted.push_back(Offset(static_cast<std::int64_t>(random.Below(static_cast<std::uint64_t>(at)))));
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.Find(wanted[++i & 0xffff]));
  state.counters["bytes_per_segment"] = static_cast<double>(table.memory_bytes()) / static_cast<double>(table.count());
}
BENCHMARK(BM_SegmentLookup)->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace millrace
