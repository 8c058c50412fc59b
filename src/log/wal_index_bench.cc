// What the index of the WAL weighs: records of 100 bytes, one a batch, to 10,000 partitions in turn. Argument: MiB of
// WAL, MiB of budget (0: none). Counters: MiB of all indexes, MiB of WAL in the widest interval, entries a partition.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "log/wal_index.h"

namespace millrace {
namespace {

constexpr std::int64_t kFrame = 232;           // of one record of 100 bytes
constexpr std::uint64_t kBatch = kFrame - 56;  // in it

void BM_IndexOfTenThousandPartitions(benchmark::State& state) {
  constexpr double kMiB = 1 << 20;
  for (auto _ : state) {
    WalIndexBudget budget(static_cast<std::uint64_t>(state.range(1)) << 20);
    std::vector<std::unique_ptr<WalIndex>> indexes(10'000);
    for (auto& index : indexes)
      index = state.range(1) != 0 ? std::make_unique<WalIndex>(budget) : std::make_unique<WalIndex>();
    WalPosition at;
    for (std::int64_t round = 0; at < WalPosition(state.range(0) << 20); ++round) {
      for (auto& index : indexes) {
        index->Add(Offset(round), {at, at + kFrame}, kBatch, 0, index->OpensInterval(at), 0);
        at += kFrame;
      }
    }
    std::uint64_t memory = 0;
    std::int64_t widest = 0;
    for (const auto& index : indexes) {
      memory += index->memory_bytes();
      for (std::size_t i = 0; i < index->size(); ++i)
        widest = std::max(widest, (i + 1 < index->size() ? (*index)[i + 1].begin : at) - (*index)[i].begin);
    }
    state.counters["index_MiB"] = static_cast<double>(memory) / kMiB;
    state.counters["widest_MiB"] = static_cast<double>(widest) / kMiB;
    state.counters["entries"] = static_cast<double>(indexes[0]->size());
    state.SetItemsProcessed(at.value() / kFrame);
  }
}
BENCHMARK(BM_IndexOfTenThousandPartitions)
    ->ArgsProduct({{725, 4096}, {0, 32}})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace
