// What the log adds to an append, apart from the WAL's own staging: a batch of one 800 B record, one thread, over a WAL
// that only counts positions. And a tail read of fresh data: no I/O, no copy of the payload.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "env/system_clock.h"
#include "log/partition_log.h"
#include "log/tail_cache.h"
#include "record/record_batch_builder.h"

namespace millrace {
namespace {

/// Gives positions and forgets the bytes.
class CountingWal final : public Wal {
 public:
  Result<WalExtent> TryAppend(WalStream, std::span<const std::span<const std::byte>> pieces) override {
    const WalPosition begin = end_;
    end_ += static_cast<std::int64_t>(pieces[0].size() + 56);
    return WalExtent{begin, end_};
  }
  Result<void> AwaitRoom(std::uint64_t, std::chrono::nanoseconds) override { return {}; }
  Result<void> AwaitDurable(WalPosition, std::optional<std::chrono::nanoseconds>) override { return {}; }
  void OnDurable(WalPosition, std::move_only_function<void(const Result<void>&)> done) override { done({}); }
  WalPosition durable_end() const override { return end_; }
  Result<Frames> Read(const WalStreams&, WalExtent range, std::uint64_t) override { return Frames{{}, range.end}; }
  std::optional<WalPosition> EndOf(const DamagedRange&) const override { return std::nullopt; }

 private:
  WalPosition end_;
};

Buffer Batch() {
  const Record record{.timestamp_ms = 1, .value = std::string(740, 'x')};
  return *BuildRecordBatch({&record, 1}, {});
}

struct Bench {
  explicit Bench(SyncPolicy sync)
      : log({{TopicId(1), PartitionId(0)}, {"t", PartitionId(0)}, WalStream(1), sync}, {}, wal, tail_cache, clock) {
    (void)log.FinishRecovery();
  }
  CountingWal wal;
  TailCache tail_cache{64 << 20};
  SystemClock clock;
  PartitionLog log;
};

/// The batch's buffer is allocated and filled as a producer would, in both.
void BM_BufferAlone(benchmark::State& state) {
  const Buffer source = Batch();
  for (auto _ : state) {
    Buffer batch(source.size());
    std::ranges::copy(source.bytes(), batch.bytes().begin());
    benchmark::DoNotOptimize(std::move(batch).Freeze());
  }
}
BENCHMARK(BM_BufferAlone);

void BM_TryAppend(benchmark::State& state) {
  Bench bench(state.range(0) == 0 ? SyncPolicy::None() : SyncPolicy::Each());
  const Buffer source = Batch();
  for (auto _ : state) {
    Buffer batch(source.size());
    std::ranges::copy(source.bytes(), batch.bytes().begin());
    benchmark::DoNotOptimize(bench.log.TryAppend(batch));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TryAppend)->Arg(0)->Arg(1);

void BM_TailRead(benchmark::State& state) {
  Bench bench(SyncPolicy::None());
  for (int i = 0; i < 10'000; ++i) {
    Buffer batch = Batch();
    (void)bench.log.TryAppend(batch);
  }
  Offset at(0);
  std::size_t bytes = 0;
  for (auto _ : state) {
    const HotBatches read = *bench.log.ReadHot(at, Offset(10'000), 1 << 20);
    bytes += read.tail_bytes;
    at = read.next < Offset(10'000) ? read.next : Offset(0);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_TailRead);

}  // namespace
}  // namespace millrace
