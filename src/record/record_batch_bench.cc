// What a batch costs: building one of a single 760 B record (the append path), checking, and decoding 1 KiB records to
// views (the read path), per codec. Payload: text-like lines, LZ4 about 5:1.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "record/batch_validator.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

std::string Line(std::size_t size, std::uint32_t seed) {
  static constexpr const char* kWords[] = {"INFO ", "request ", "took ",       "ms ",
                                           "GET ",  "/orders/", "status=200 ", "id="};
  std::string line;
  while (line.size() < size) {
    seed = seed * 1664525 + 1013904223;
    line += kWords[(seed >> 16) % 8];
    line += std::to_string(seed % 1000);
  }
  line.resize(size);
  return line;
}

std::vector<Record> Records(std::size_t count, std::size_t value_bytes) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i)
    records.push_back({.timestamp_ms = 1'700'000'000'000 + static_cast<std::int64_t>(i),
                       .key = "key-" + std::to_string(i),
                       .value = Line(value_bytes, static_cast<std::uint32_t>(i))});
  return records;
}

SharedBytes Built(std::span<const Record> records, Compression compression) {
  auto built = BuildRecordBatch(records, {.compression = compression});
  MR_CHECK(built);
  return std::move(*built).Freeze();
}

void BuildOneRecord(benchmark::State& state) {
  const auto records = Records(1, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(BuildRecordBatch(records, {.now_ms = 1}));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BuildOneRecord)->Arg(100)->Arg(760);

void BuildManyRecords(benchmark::State& state) {
  const auto records = Records(256, 760);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        BuildRecordBatch(records, {.compression = static_cast<Compression>(state.range(0)), .now_ms = 1}));
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(BuildManyRecords)->DenseRange(0, 4)->ArgName("codec");

void ValidateManyRecords(benchmark::State& state) {
  const SharedBytes batch = Built(Records(256, 760), static_cast<Compression>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(ValidateBatch(batch, {}));
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(ValidateManyRecords)->DenseRange(0, 4)->ArgName("codec");

/// As a read of 1 MiB does: batches of `records`, each verified, into views.
void VerifyAndDecode(benchmark::State& state) {
  const auto per_batch = static_cast<std::size_t>(state.range(0));
  std::vector<SharedBytes> batches;
  for (std::size_t i = 0; i < 1024 / per_batch; ++i)
    batches.push_back(Built(Records(per_batch, 1024), static_cast<Compression>(state.range(1))));
  for (auto _ : state) {
    std::vector<RecordView> views;
    for (const SharedBytes& batch : batches) {
      MR_CHECK(RecordBatchView::Parse(batch)->VerifyCrc());
      MR_CHECK(DecodeRecords(batch, {}, views));
    }
    benchmark::DoNotOptimize(views.data());
  }
  state.SetItemsProcessed(state.iterations() * 1024);
  state.SetBytesProcessed(state.iterations() * 1024 * 1024);
}
BENCHMARK(VerifyAndDecode)
    ->ArgsProduct({{1, 64, 1024}, {0}})
    ->ArgsProduct({{256}, {1, 2, 3, 4}})
    ->ArgNames({"records", "codec"});

}  // namespace
}  // namespace millrace
