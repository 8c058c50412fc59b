// Goal: the tail cache's budget holds at every moment over all partitions and threads, what is given up is the oldest,
// and nothing leaks. Method: many logs over one small budget, some closed midway. Proves B15, R17 (tail part).
#include "log/tail_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "env/seeded_random.h"
#include "log/log_fixture.h"
#include "log/partition_tail.h"
#include "log/ring.h"

namespace millrace {
namespace {

TEST(RingTest, KeepsItsOrderWhileItGrowsAndTurns) {
  Ring<int> ring;
  SeededRandom random(1);
  int pushed = 0, popped = 0;
  for (int step = 0; step < 10'000; ++step) {
    if (random.Below(5) < 3 && pushed - popped < 300) {
      ring.PushBack(pushed++);
    } else if (!ring.empty()) {
      ASSERT_EQ(ring.front(), popped++);
      ring.PopFront();
    }
    ASSERT_EQ(ring.size(), static_cast<std::size_t>(pushed - popped));
    if (ring.empty()) continue;
    ASSERT_EQ(ring.back(), pushed - 1);
    const int wanted = popped + static_cast<int>(random.Below(ring.size() + 1));
    ASSERT_EQ(ring.PartitionPoint([&](int value) { return value < wanted; }),
              static_cast<std::size_t>(wanted - popped));
  }
}

TEST(TailCacheTest, BudgetHoldsUnderThreadsAndComesBackWhole) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 50'000);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      auto own = f.Open(WalStream(100 + t), {});
      ASSERT_TRUE(own->FinishRecovery());
      for (int i = 0; i < 500; ++i) {
        Buffer mine = TestBatch(1, 100 * (1 + t)), shared = TestBatch(1, 200);
        ASSERT_TRUE(own->TryAppend(mine));
        ASSERT_TRUE(f.log->TryAppend(shared));
        ASSERT_LE(f.tail_cache.bytes(), 50'000u);
        const Offset end = own->visible_end();
        ASSERT_EQ(own->ReadHot(end - 1, end, 1)->next, end);
      }
    });
  threads.clear();
  EXPECT_GT(f.tail_cache.bytes(), 10'000u);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(2000), UINT64_MAX)->next, Offset(2000));
  f.log.reset();
  EXPECT_EQ(f.tail_cache.bytes(), 0u);
}

TEST(TailCacheTest, LogsThatDropTheirSlicesThemselvesLeaveNothingBehind) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 1 << 20);
  for (int i = 0; i < 5000; ++i) {
    f.Append(1, 10);
    ASSERT_TRUE(f.log->Sync({}));
    f.log->AdvanceTieredEnd(Offset(i + 1));
    f.log->OnRecycled(f.wal.end());
    ASSERT_EQ(f.tail_cache.bytes(), 0u);
  }
  f.Append(1, 10);
  EXPECT_EQ(f.log->ReadHot(Offset(5000), Offset(5001), 1)->tail_bytes, TestBatch(1, 10).size());
}

std::vector<SharedBytes> TailOf(LogFixture& f, Offset begin, Offset end) {
  auto read = f.log->ReadHot(begin, end, UINT64_MAX);
  EXPECT_TRUE(read);
  EXPECT_EQ(read->wal_bytes, 0u);
  return std::move(read->batches);
}

TEST(TailCacheTest, SmallBatchesShareMemoryAndLargeOnesKeepTheirs) {
  LogFixture f(SyncPolicy::None());
  std::vector<std::vector<std::byte>> appended;
  for (const std::size_t bytes : {100uz, 300uz, 20'000uz, 100uz, 9'000uz, 50uz, 50uz}) {
    Buffer batch = TestBatch(1, bytes);
    const auto* memory = batch.bytes().data();
    const std::size_t size = batch.size();
    ASSERT_TRUE(f.log->TryAppend(batch));
    const bool large = size >= PartitionTail::kLargeBytes;
    EXPECT_EQ(batch.size(), large ? 0 : size);  // else it is the caller's again
    std::ranges::fill(batch.bytes(), std::byte{0xee});
    const SharedBytes kept = TailOf(f, f.log->visible_end() - 1, f.log->visible_end()).at(0);
    EXPECT_EQ(kept.data() == memory, large);
    appended.emplace_back(kept.bytes().begin(), kept.bytes().end());
    EXPECT_TRUE(RecordBatchView::Parse(kept.bytes()).value().VerifyCrc());
  }
  const auto batches = TailOf(f, Offset(0), Offset(7));
  ASSERT_EQ(batches.size(), appended.size());
  for (std::size_t i = 0; i < batches.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(batches[i].bytes(), appended[i])) << i;
  EXPECT_EQ(batches[0].owner(), batches[1].owner());
  EXPECT_EQ(batches[5].owner(), batches[6].owner());
  EXPECT_NE(batches[2].owner(), batches[4].owner());
}

TEST(TailCacheTest, AReaderKeepsWhatItsLogGaveUp) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 20'000);
  std::vector<SharedBytes> held;
  for (int i = 0; i < 300; ++i) {
    f.Append(1, 100 + static_cast<std::size_t>(i));
    if (i % 7 == 0) held.push_back(TailOf(f, Offset(i), Offset(i + 1)).at(0));
    ASSERT_LE(f.tail_cache.bytes(), 20'000u);
  }
  f.log.reset();
  for (std::size_t i = 0; i < held.size(); ++i) {
    const RecordBatchView view = RecordBatchView::Parse(held[i].bytes()).value();
    EXPECT_EQ(view.base_offset(), Offset(static_cast<std::int64_t>(i) * 7));
    EXPECT_TRUE(view.VerifyCrc());
  }
}

TEST(TailCacheTest, BlocksAreUsedAgainOnceTheLastReaderHasLetGo) {
  auto cache = std::make_unique<TailCache>(1 << 20);
  const std::byte* first = nullptr;
  {
    const auto block = cache->blocks().Take();
    first = block.get();
    const SharedBytes read(block, {block.get(), 10});
    EXPECT_NE(cache->blocks().Take().get(), first) << "it is still read";
  }
  EXPECT_EQ(cache->blocks().spare(), 2u);
  EXPECT_EQ(cache->blocks().Take().get(), first) << "the one used last";
  std::vector<std::shared_ptr<std::byte[]>> many(TailBlocks::kSpareMax + 10);
  for (auto& block : many) block = cache->blocks().Take();
  many.resize(1);
  EXPECT_EQ(cache->blocks().spare(), TailBlocks::kSpareMax);
  cache.reset();  // the one left goes to a pool that nothing else holds
  std::ranges::fill(std::span(many[0].get(), TailBlocks::kBlockBytes), std::byte{1});
}

TEST(TailCacheTest, ABusyLogRunsOnTheBlocksItGaveUp) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 4 << 20);
  for (int i = 0; i < 20'000; ++i) f.Append(1, 900);
  EXPECT_LT(f.tail_cache.blocks().spare(), 8u);
  f.log.reset();
  EXPECT_EQ(f.tail_cache.blocks().spare(), TailBlocks::kSpareMax);
}

TEST(TailCacheTest, EveryBatchIsInTailOrWalWhateverIsDroppedMeanwhile) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 30'000);
  SeededRandom random(3);
  Offset begin;
  for (int step = 0; step < 2000; ++step) {
    f.Append(1, random.Below(10) == 0 ? 8'000 + random.Below(4'000) : random.Below(900));
    const Offset end = f.log->visible_end();
    if (random.Below(40) == 0) {
      ASSERT_TRUE(f.log->Sync({}));
      begin = end - static_cast<std::int64_t>(random.Below(static_cast<std::uint64_t>(end - begin) + 1));
      f.log->AdvanceLogStart(begin);
    }
    if (random.Below(20) != 0) continue;
    const auto offsets = OffsetsOf(f.log->ReadHot(begin, end, UINT64_MAX)->batches);
    ASSERT_EQ(static_cast<std::int64_t>(offsets.size()), end - begin);
    for (std::size_t i = 0; i < offsets.size(); ++i)
      ASSERT_EQ(offsets[i].first, begin.value() + static_cast<std::int64_t>(i));
  }
}

}  // namespace
}  // namespace millrace
