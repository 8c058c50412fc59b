// Goal: whatever order appends, syncs, uploads, recycling, trims and reads come in, a read gives exactly what the model
// says: right records, right `next`, limits kept, nothing skipped and nothing twice. Method: seeded random steps
// against a list of records; reads begin at every kind of offset with budgets from 1 B to 2^64 - 1. Proves R5, R8,
// W1-W3, W8, W38, S11 (no read of what was not asked), S12-S14, S17, S22, B14, B19, B30, B62 for Read and ReadBatches.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "env/seeded_random.h"
#include "read/read_fixture.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed) : random_(seed), f_(OptionsFor(seed)) {}

  void Run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      switch (random_.Below(12)) {
        case 0:
        case 1:
        case 2:
          Append();
          break;
        case 3:
          ASSERT_TRUE(f_.partition.log->Sync({}));
          break;
        case 4:
          Upload();
          break;
        case 5:
          if (random_.OneIn(2)) f_.Recycle();
          break;
        case 6:
          if (random_.OneIn(6)) Trim();
          break;
        default:
          Read(PickOffset());
      }
    }
    for (std::int64_t begin = log_start_; begin <= end(); ++begin) Read(begin);
    Drain();
    EXPECT_EQ(f_.memory.bytes(), 0u);
  }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  [[nodiscard]] const ReadCounters& counters() const { return f_.counters; }

 private:
  static ReadFixtureOptions OptionsFor(std::uint64_t seed) {
    const std::uint64_t dice = SeededRandom::Mix(seed);
    const SyncPolicy policies[] = {SyncPolicy::Each(), SyncPolicy::None()};
    const std::uint64_t tails[] = {0, 500, 5000, 64 << 20}, caches[] = {0, 2000, 64 << 20};
    return {.sync = policies[dice % 2],
            .tail_bytes_max = tails[dice / 2 % 4],
            .block_bytes_max = caches[dice / 8 % 3],
            .read_memory_max = dice / 24 % 2 == 0 ? 1000u : 64u << 20,
            .segment_block_bytes = static_cast<std::uint32_t>(1 + dice / 48 % 3000),
            .codec = dice / 3000 % 2 == 0 ? SegmentCodec::kNone : SegmentCodec::kLz4};
  }

  [[nodiscard]] std::int64_t end() const { return static_cast<std::int64_t>(records_.size()); }

  void Append() {
    std::vector<Record> records(1 + random_.Below(6));
    for (Record& record : records) {
      record.timestamp_ms = 1000 + static_cast<std::int64_t>(random_.Below(1000));
      if (!random_.OneIn(5)) record.value = std::string(random_.Below(300), static_cast<char>(random_.Next()));
      if (random_.OneIn(3)) record.key = std::to_string(random_.Next());
    }
    const AppendedBatch appended = f_.Append(records);
    ASSERT_EQ(appended.base.value(), end());
    for (Record& record : records) {
      record.offset = Offset(end());
      records_.push_back(record);
      batch_of_.push_back(batch_begins_.size());
    }
    batch_begins_.push_back(appended.base.value());
    batch_bytes_.push_back(static_cast<std::uint64_t>(appended.wal_end.value() - last_wal_end_) -
                           FakeWal::kFrameOverhead);
    last_wal_end_ = appended.wal_end.value();
  }
  void Upload() {
    const std::int64_t tiered_end = f_.partition.log->offsets().tiered_end.value();
    if (tiered_end >= end()) return;
    const std::int64_t until = tiered_end + 1 + static_cast<std::int64_t>(random_.Below(end() - tiered_end));
    f_.Upload(f_.partition, Offset(until));
  }
  void Trim() {
    log_start_ += static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(end() - log_start_) + 1));
    f_.Trim(f_.partition, Offset(log_start_));
  }
  std::int64_t PickOffset() {
    const PartitionOffsets offsets = f_.partition.log->offsets();
    const std::int64_t borders[] = {offsets.log_start.value(), offsets.hot_start.value(), offsets.tiered_end.value(),
                                    offsets.durable_end.value(), offsets.log_end.value()};
    if (random_.OneIn(3)) return borders[random_.Below(5)] + static_cast<std::int64_t>(random_.Below(3)) - 1;
    return static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(end()) + 1));
  }
  std::uint64_t PickBytes() {
    const std::uint64_t budgets[] = {0, 1, 300, 1000, 10'000, 1 << 20, UINT64_MAX};
    return random_.OneIn(2) ? budgets[random_.Below(7)] : random_.Below(5000);
  }

  /// The offset after the last batch that a read from `begin` may return under these limits.
  std::int64_t ExpectedEnd(std::int64_t begin, std::uint64_t bytes_max) const {
    std::uint64_t used = 0;
    std::int64_t at = begin;
    while (at < end()) {
      const std::size_t batch = batch_of_[static_cast<std::size_t>(at)];
      if (used > 0 && (batch_bytes_[batch] > bytes_max || used > bytes_max - batch_bytes_[batch])) break;
      used += batch_bytes_[batch];
      at = batch + 1 < batch_begins_.size() ? batch_begins_[batch + 1] : end();
    }
    return at;
  }

  void Read(std::int64_t begin) {
    ++reads_;
    ReadLimits limits{.bytes_max = PickBytes()};
    if (random_.OneIn(3)) limits.records_max = random_.Below(10);
    const Result<ReadResult> read = f_.partition.reader->Read(Offset(begin), limits);
    if (begin < log_start_ || begin > end()) {
      ASSERT_FALSE(read);
      EXPECT_EQ(read.error().code(), ErrorCode::kOutOfRange);
      EXPECT_EQ(read.error().bounds()->log_start.value(), log_start_);
      return;
    }
    ASSERT_TRUE(read) << read.error().ToString();
    const std::int64_t expected_end = ExpectedEnd(begin, limits.bytes_max);
    const auto expected = std::min<std::uint64_t>(static_cast<std::uint64_t>(expected_end - begin), limits.records_max);
    ASSERT_EQ(read->records.size(), expected) << "begin " << begin << " bytes " << limits.bytes_max;
    for (std::size_t i = 0; i < expected; ++i)
      ASSERT_EQ(read->records[i].ToRecord(), records_[static_cast<std::size_t>(begin) + i]);
    ASSERT_EQ(read->next.value(), begin + static_cast<std::int64_t>(expected));
    ASSERT_EQ(read->log_start.value(), log_start_);
    ASSERT_LE(read->high_watermark.value(), end());
    ASSERT_GE(read->high_watermark, read->next);

    const Result<BatchReadResult> batches = f_.partition.reader->ReadBatches(Offset(begin), limits);
    ASSERT_TRUE(batches);
    std::int64_t at = begin;
    for (const SharedBytes& batch : batches->batches) {
      const RecordBatchView view = RecordBatchView::Parse(batch.bytes()).value();
      ASSERT_EQ(view.base_offset().value(), batch_begins_[batch_of_[static_cast<std::size_t>(at)]]);
      ASSERT_TRUE(view.VerifyCrc());
      at = view.end_offset().value();
    }
    ASSERT_EQ(batches->next.value(), at);
  }
  /// From the start to the end in pieces: delivered = appended.
  void Drain() {
    std::int64_t at = log_start_;
    while (at < end()) {
      const Result<ReadResult> read = f_.partition.reader->Read(Offset(at), {.bytes_max = PickBytes()});
      ASSERT_TRUE(read);
      ASSERT_FALSE(read->records.empty());
      for (const RecordView& record : read->records) ASSERT_EQ(record.offset.value(), at++);
    }
  }

  SeededRandom random_;
  ReadFixture f_;
  std::vector<Record> records_;
  std::vector<std::size_t> batch_of_;       // by offset
  std::vector<std::int64_t> batch_begins_;  // by batch
  std::vector<std::uint64_t> batch_bytes_;
  std::int64_t log_start_ = 0, last_wal_end_ = 0;
  std::uint64_t reads_ = 0;
};

TEST(ReadModelTest, EveryReadAgreesWithTheModel) {
  std::uint64_t reads = 0, from_tail = 0, from_wal = 0, from_cache = 0, from_store = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ModelRun run(seed);
    run.Run(200);
    reads += run.reads();
    from_tail += run.counters().tail_bytes;
    from_wal += run.counters().wal_bytes;
    from_cache += run.counters().block_cache_bytes;
    from_store += run.counters().object_store_bytes;
    if (HasFailure()) break;
  }
  std::printf("checked=%llu reads\n", static_cast<unsigned long long>(reads));
  EXPECT_GT(reads, 20'000u);
  for (const std::uint64_t bytes : {from_tail, from_wal, from_cache, from_store}) EXPECT_GT(bytes, 100'000u);
}

}  // namespace
}  // namespace millrace
