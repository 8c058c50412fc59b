// What a segment costs: building it, loading its index, finding a block, and reading every record as views. Payload:
// text-like lines of 200 B in batches of 64, blocks of 64 KiB.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

constexpr int kRecords = 65'536, kPerBatch = 64;

std::vector<SharedBytes> Batches() {
  static constexpr const char* kWords[] = {"INFO ", "request ", "took ",       "ms ",
                                           "GET ",  "/orders/", "status=200 ", "id="};
  std::uint32_t seed = 1;
  std::vector<SharedBytes> batches;
  for (int base = 0; base < kRecords; base += kPerBatch) {
    std::vector<Record> records(kPerBatch);
    for (Record& record : records) {
      record.timestamp_ms = 1'700'000'000'000 + base;
      std::string line;
      while (line.size() < 200) {
        seed = seed * 1664525 + 1013904223;
        line += kWords[(seed >> 16) % 8] + std::to_string(seed % 1000);
      }
      record.value = std::move(line);
    }
    auto built = BuildRecordBatch(records, {});
    MR_CHECK(built);
    StampBatch(built->bytes(), Offset(base), LeaderEpoch(0));
    batches.push_back(std::move(*built).Freeze());
  }
  return batches;
}

SharedBytes Built(const std::vector<SharedBytes>& batches, SegmentCodec codec) {
  SegmentBuilder builder({.codec = codec});
  for (const SharedBytes& batch : batches) MR_CHECK(builder.Add(batch));
  auto built = builder.Finish();
  MR_CHECK(built);
  Buffer whole(built->size_bytes);
  std::byte* at = whole.bytes().data();
  for (const SharedBytes& piece : built->pieces) at = std::ranges::copy(piece.bytes(), at).out;
  return std::move(whole).Freeze();
}

class SliceSource final : public BlockSource {
 public:
  explicit SliceSource(SharedBytes bytes) : bytes_(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override { return bytes_.Slice(range.offset, range.length); }

 private:
  SharedBytes bytes_;
};

void BuildSegment(benchmark::State& state) {
  const auto batches = Batches();
  std::int64_t bytes = 0;
  for (const SharedBytes& batch : batches) bytes += static_cast<std::int64_t>(batch.size());
  for (auto _ : state) {
    SegmentBuilder builder({.codec = static_cast<SegmentCodec>(state.range(0))});
    for (const SharedBytes& batch : batches) MR_CHECK(builder.Add(batch));
    benchmark::DoNotOptimize(builder.Finish());
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BuildSegment)->DenseRange(0, 2)->ArgName("codec")->Unit(benchmark::kMillisecond);

void LoadIndex(benchmark::State& state) {
  const SharedBytes whole = Built(Batches(), SegmentCodec::kLz4);
  SliceSource source(whole);
  for (auto _ : state) benchmark::DoNotOptimize(SegmentIndex::Load(source, whole.size()));
}
BENCHMARK(LoadIndex);

void FindBlock(benchmark::State& state) {
  const SharedBytes whole = Built(Batches(), SegmentCodec::kLz4);
  SliceSource source(whole);
  const auto index = *SegmentIndex::Load(source, whole.size());
  std::int64_t offset = 0;
  for (auto _ : state) {
    offset = (offset + 7919) % kRecords;
    benchmark::DoNotOptimize(index->FindBlock(Offset(offset)));
  }
}
BENCHMARK(FindBlock);

void ReadAll(benchmark::State& state) {
  const SharedBytes whole = Built(Batches(), static_cast<SegmentCodec>(state.range(0)));
  SliceSource source(whole);
  const auto index = *SegmentIndex::Load(source, whole.size());
  for (auto _ : state) {
    for (const SegmentBlock& block : index->blocks()) {
      std::vector<RecordView> views;
      const auto raw = OpenBlock(block, *source.Fetch({block.byte_begin, block.stored_bytes}));
      const auto batches = SplitBatches(*raw, Offset(0));
      for (const SharedBytes& batch : *batches) MR_CHECK(DecodeRecords(batch, {}, views));
      benchmark::DoNotOptimize(views.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(ReadAll)->DenseRange(0, 2)->ArgName("codec")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace
