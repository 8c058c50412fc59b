// Goal: the tail cache's budget holds at every moment over all partitions and threads, what is given up is the oldest,
// and nothing leaks. Method: many logs over one small budget, some closed midway. Proves B15, R17 (tail part).
#include "log/tail_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "env/seeded_random.h"
#include "log/log_fixture.h"
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

}  // namespace
}  // namespace millrace
