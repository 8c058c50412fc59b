// Goal: many readers share requests, memory and budgets without harm. Method: threads over one store whose requests are
// counted, held back or failed. Proves R9, S8/S9 (one fetch for all readers), S13, B15, B18, B30, B79 for reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "env/thread_pool.h"
#include "read/read_fixture.h"
#include "read/read_many.h"
#include "store/faulty_object_store.h"

namespace millrace {
namespace {

using testing::ElementsAre;

/// Passes on to a store, counting gets; while shut, they wait.
class GatedStore final : public ObjectStore {
 public:
  explicit GatedStore(ObjectStore& inner) : inner_(inner) {}
  void Shut() { SetOpen(false); }
  void Open() { SetOpen(true); }
  [[nodiscard]] int gets() const { return gets_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    return inner_.Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    ++gets_;
    bytes_ += range.length;
    {
      MutexLock lock(mutex_);
      while (!open_) opened_.Wait(mutex_);
    }
    return inner_.Get(key, range);
  }
  Result<ObjectDescription> Head(std::string_view key) override { return inner_.Head(key); }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    return inner_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override { return inner_.Delete(key); }
  [[nodiscard]] std::string Describe() const override { return "gated"; }

 private:
  void SetOpen(bool open) {
    MutexLock lock(mutex_);
    open_ = open;
    opened_.NotifyAll();
  }
  ObjectStore& inner_;
  std::atomic<int> gets_{0};
  std::atomic<std::uint64_t> bytes_{0};
  Mutex mutex_;
  CondVar opened_;
  bool open_ MR_GUARDED_BY(mutex_) = true;
};

TEST(ReadSharingTest, ThirtyTwoReadersOfOneColdSegmentMakeItsRequestsOnce) {
  MemoryObjectStore store;
  GatedStore gate(store);
  ReadFixture f({.codec = SegmentCodec::kNone, .objects = &gate});
  for (int i = 0; i < 300; ++i) f.AppendNumbered(10, 1000);
  const std::string object = f.Upload();
  ASSERT_TRUE(store.Put(object, std::vector{f.store.Get(object, {0, UINT64_MAX}).value()}, PutMode::kOverwrite));
  f.Recycle();
  gate.Shut();
  std::atomic<std::uint64_t> shared{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 32; ++i)
    readers.emplace_back([&, i] {
      const auto read = f.partition.reader->Read(Offset(i % 4), {.bytes_max = 64 << 20});
      ASSERT_TRUE(read);
      EXPECT_EQ(read->next, Offset(3000));
      EXPECT_EQ(read->records.size(), static_cast<std::size_t>(3000 - i % 4));
      shared += read->explanation.shared;
    });
  gate.Open();
  readers.clear();
  EXPECT_LE(gate.bytes(), store.Head(object)->size_bytes + (64 << 10));  // every byte once, and the index
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(ReadSharingTest, HundredPartitionsUnderASmallMemoryBudget) {
  ReadFixture f({.block_bytes_max = 1 << 20, .read_memory_max = 4 << 20, .codec = SegmentCodec::kNone});
  std::vector<ReadablePartition> partitions;
  for (int i = 0; i < 100; ++i) {
    partitions.push_back(f.Create("topic-" + std::to_string(i)));
    for (int batch = 0; batch < 32; ++batch) f.AppendNumbered(partitions.back(), 4, 2000);
    f.Upload(partitions.back(), Offset(INT64_MAX));
    f.Recycle(partitions.back());
  }
  std::vector<std::jthread> readers;
  for (int thread = 0; thread < 4; ++thread)
    readers.emplace_back([&, thread] {
      for (std::size_t i = static_cast<std::size_t>(thread); i < partitions.size(); i += 4) {
        const auto read = partitions[i].reader->Read(Offset(0), {.bytes_max = UINT64_MAX});
        ASSERT_TRUE(read);
        EXPECT_EQ(read->records.size(), 128u);
      }
    });
  readers.clear();
  EXPECT_LE(f.memory.bytes_peak(), 4u << 20);
  EXPECT_GT(f.memory.bytes_peak(), 100'000u);
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(ReadSharingTest, OutageIsAnErrorOnEveryCallAndLeavesNothingBehind) {
  auto store = std::make_shared<MemoryObjectStore>();
  FaultyObjectStore faulty(store, 1);
  ReadFixture f({.block_bytes_max = 0, .segment_block_bytes = 2000, .codec = SegmentCodec::kNone, .objects = &faulty});
  for (int i = 0; i < 50; ++i) f.AppendNumbered(2, 200);
  const std::string object = f.Upload();
  ASSERT_TRUE(store->Put(object, std::vector{f.store.Get(object, {0, UINT64_MAX}).value()}, PutMode::kOverwrite));
  f.Recycle();
  f.AppendNumbered(5);
  // The n-th request fails, whatever it is: an error or what lies before, never the end.
  for (const ObjectFault fault : {ObjectFault::kErrorBefore, ObjectFault::kShortBody, ObjectFault::kCorruptBody}) {
    for (std::uint64_t n = 1; n <= 8; ++n) {
      faulty.FailRequest(n, fault);
      std::int64_t at = 0;
      int errors = 0;
      while (at < 105) {
        const auto read = f.partition.reader->Read(Offset(at), {.bytes_max = 3000});
        if (!read) {
          ASSERT_EQ(read.error().code(), ErrorCode::kUnavailable);
          ASSERT_LE(++errors, 1);
          continue;
        }
        ASSERT_FALSE(read->records.empty());
        for (const RecordView& record : read->records) {
          ASSERT_EQ(record.offset.value(), at);
          ASSERT_TRUE(record.value->starts_with("record " + std::to_string(at++) + ' '));
        }
      }
      if (fault != ObjectFault::kErrorBefore) EXPECT_EQ(errors, 0);  // fetched again
      EXPECT_EQ(f.memory.bytes(), 0u);
    }
  }
  faulty.SetPlan(ObjectFaultPlan().Set(ObjectFault::kErrorBefore, 1'000'000));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(f.partition.reader->Read(Offset(50), {}).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(f.partition.reader->Read(Offset(100), {})->records.size(), 5u);  // the hot end needs no store
}

TEST(ReadSharingTest, ReaderBesideWriterUploaderAndRecyclerSeesEveryOffsetOnce) {
  ReadFixture f(
      {.sync = SyncPolicy::Each(), .tail_bytes_max = 5000, .block_bytes_max = 20'000, .segment_block_bytes = 1000});
  constexpr int kBatches = 600;
  std::atomic<bool> written{false};
  std::jthread writer([&] {
    for (int i = 0; i < kBatches; ++i) f.AppendNumbered(3, 60);
    written = true;
  });
  std::jthread mover([&] {
    while (!written) {
      if (f.partition.log->offsets().tiered_end < f.partition.log->Sync({}).value()) f.Upload();
      f.Recycle();
    }
  });
  std::vector<std::jthread> readers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&, r] {
      std::int64_t at = 0;
      while (at < kBatches * 3) {
        const auto read = f.partition.reader->Read(Offset(at), {.bytes_max = r == 0 ? 700u : 1u << 20});
        ASSERT_TRUE(read) << read.error().ToString();
        for (const RecordView& record : read->records) ASSERT_EQ(record.offset.value(), at++);
      }
    });
  readers.clear();
}

TEST(ReadManyTest, ResultsKeepTheirOrderAndOneFailureHidesNobody) {
  ReadFixture f;
  auto pool = ThreadPool::Start({.threads = 2}).value();
  std::vector<ReadablePartition> partitions;
  for (int i = 0; i < 5; ++i) {
    partitions.push_back(f.Create("topic-" + std::to_string(i)));
    if (i != 3) f.AppendNumbered(partitions.back(), 3 + i);
  }
  const std::vector<PartitionRead> reads = {{partitions[4].reader.get(), Offset(1)},
                                            {partitions[0].reader.get(), Offset(0)},
                                            {partitions[1].reader.get(), Offset(99)},
                                            {partitions[3].reader.get(), Offset(0)},
                                            {partitions[2].reader.get(), Offset(2)}};
  const auto results = ReadMany(reads, {}, *pool);
  ASSERT_EQ(results.size(), 5u);
  EXPECT_THAT(OffsetsOf(*results[0]), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(OffsetsOf(*results[1]), ElementsAre(0, 1, 2));
  EXPECT_EQ(results[2].error().code(), ErrorCode::kOutOfRange);
  EXPECT_TRUE(results[3]->records.empty());
  EXPECT_THAT(OffsetsOf(*results[4]), ElementsAre(2, 3, 4));
  EXPECT_TRUE(ReadMany({}, {}, *pool).empty());
}

TEST(ReadManyTest, OneBudgetForAllAndItIsUsed) {
  ReadFixture f;
  auto pool = ThreadPool::Start({.threads = 2}).value();
  std::vector<ReadablePartition> partitions;
  std::vector<PartitionRead> reads;
  std::uint64_t batch = 0;
  for (int i = 0; i < 10; ++i) {
    partitions.push_back(f.Create("topic-" + std::to_string(i)));
    const WalPosition before = f.wal.end();
    f.AppendNumbered(partitions.back(), 1, 100);
    batch = static_cast<std::uint64_t>(f.wal.end() - before) - FakeWal::kFrameOverhead;
    for (int more = 0; more < i * 3; ++more) f.AppendNumbered(partitions.back(), 1, 100);
    reads.push_back({partitions.back().reader.get(), Offset(0)});
  }
  for (const std::uint64_t budget :
       {std::uint64_t{0}, std::uint64_t{1}, batch, 7 * batch, 30 * batch, 100 * batch, UINT64_MAX}) {
    const auto results = ReadMany(reads, {.bytes_max = budget}, *pool);
    std::uint64_t records = 0;
    for (const auto& result : results) {
      ASSERT_TRUE(result);
      for (std::size_t i = 0; i < result->records.size(); ++i)
        EXPECT_EQ(result->records[i].offset, Offset(static_cast<std::int64_t>(i)));
      EXPECT_EQ(result->next, Offset(static_cast<std::int64_t>(result->records.size())));
      records += result->records.size();
    }
    EXPECT_FALSE(results[0]->records.empty());
    if (budget > batch) EXPECT_LE(records * batch, budget);
    EXPECT_GE(records, std::min<std::uint64_t>(145, std::max<std::uint64_t>(budget / batch, 1)) * 9 / 10);
  }
  // records_max holds for each.
  for (const auto& result : ReadMany(reads, {.records_max = 2}, *pool)) EXPECT_LE(result->records.size(), 2u);
}

}  // namespace
}  // namespace millrace
