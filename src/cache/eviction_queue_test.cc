// Goal: each order of eviction keeps every entry exactly once and never loses one; S3-FIFO keeps what is read again
// while a stream goes by, and LRU, the control, does not. Method: random calls against a set; a scenario of readers who
// come back beside a backfill of ten times the cache, under three rates. Proves R2 (kS3Fifo), R4 (a scan does not wash
// out the hot set), B60 (places outlive a restart).
#include "cache/eviction_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "cache/eviction_scenario.h"
#include "env/seeded_random.h"

namespace millrace {
namespace {

class EvictionQueueTest : public testing::TestWithParam<EvictionPolicy> {};

TEST_P(EvictionQueueTest, EveryEntryIsHeldOnceAndComesBackFromItsPlace) {
  SeededRandom random(3);
  constexpr std::uint64_t kBytesMax = 64 << 20;
  auto queue = MakeEvictionQueue(GetParam(), kBytesMax);
  std::map<std::uint32_t, EvictionQueue::Entry> held;
  std::uint64_t bytes = 0;
  const auto remove = [&](std::uint32_t slot, EvictionQueue::Removal removal) {
    ASSERT_TRUE(held.contains(slot));
    bytes -= held[slot].bytes;
    held.erase(slot);
    queue->OnRemove(slot, removal);
  };
  for (int step = 0; step < 30'000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random.Below(300));
    const InsertHint hint = random.OneIn(2) ? InsertHint::kScan : InsertHint::kRandom;
    if (held.contains(slot)) {
      if (random.OneIn(6)) {
        ASSERT_NO_FATAL_FAILURE(remove(slot, EvictionQueue::Removal::kDropped));
      } else {
        queue->OnHit(slot, hint);
      }
    } else {
      const EvictionQueue::Entry entry{random.Below(1000), random.Below(1 << 20), hint};
      while (bytes + entry.bytes > kBytesMax) {
        const auto victim = queue->Victim({.hint = hint});
        ASSERT_TRUE(victim) << "nothing is coming";
        ASSERT_NO_FATAL_FAILURE(remove(*victim, EvictionQueue::Removal::kEvicted));
      }
      queue->OnInsert(slot, entry);
      held[slot] = entry;
      bytes += entry.bytes;
    }
    if (step % 1000 != 0) continue;
    const auto places = queue->InOrder();
    ASSERT_EQ(places.size(), held.size());
    auto restored = MakeEvictionQueue(GetParam(), kBytesMax);
    for (const auto& place : places) {
      ASSERT_TRUE(held.contains(place.slot));
      EXPECT_EQ(queue->Rank(place.slot), place.rank);
      restored->Restore(place, held[place.slot]);
    }
    const auto again = restored->InOrder();
    ASSERT_EQ(again.size(), places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      EXPECT_EQ(again[i].slot, places[i].slot);
      EXPECT_EQ(again[i].rank, places[i].rank);
    }
    queue = std::move(restored);
  }
}

TEST_P(EvictionQueueTest, RanksFromElsewhereAreThoseOfNewEntries) {
  auto queue = MakeEvictionQueue(GetParam(), 1000);
  for (std::uint32_t slot = 0; slot < 256; ++slot)
    queue->Restore({slot, static_cast<std::uint8_t>(slot)}, {slot, 10, InsertHint::kRandom});
  for (int i = 0; i < 256; ++i) queue->OnRemove(queue->Victim({}).value(), EvictionQueue::Removal::kEvicted);
  EXPECT_TRUE(queue->InOrder().empty());
}

INSTANTIATE_TEST_SUITE_P(Both, EvictionQueueTest, testing::Values(EvictionPolicy::kLru, EvictionPolicy::kS3Fifo),
                         [](const auto& tested) { return tested.param == EvictionPolicy::kLru ? "Lru" : "S3Fifo"; });

TEST(ScanResistanceTest, S3FifoLosesAtMostThreePointsWhereLruLosesTwenty) {
  for (const double share : {0.5, 0.8}) {
    const EvictionOutcome lru = RunEviction({.policy = EvictionPolicy::kLru, .scan_share = share});
    const EvictionOutcome s3fifo = RunEviction({.policy = EvictionPolicy::kS3Fifo, .scan_share = share});
    EXPECT_GE(lru.loss(), 0.20) << share;
    EXPECT_LE(s3fifo.loss(), 0.03) << share;
    EXPECT_GE(s3fifo.alone, 0.99) << "the hot set fits";
  }
}

TEST(ScanResistanceTest, AStreamNobodyAnnouncedIsResistedToo) {
  const EvictionOutcome s3fifo =
      RunEviction({.policy = EvictionPolicy::kS3Fifo, .scan_share = 0.2, .scan_hint = InsertHint::kRandom});
  EXPECT_LE(s3fifo.loss(), 0.03);
}

TEST(ScanResistanceTest, S3FifoIsNoWorseWithoutAScan) {
  for (const std::uint64_t hot : {4000, 20'000}) {
    const EvictionOutcome lru = RunEviction({.policy = EvictionPolicy::kLru, .hot_blocks = hot, .scan_blocks = 0});
    const EvictionOutcome s3fifo =
        RunEviction({.policy = EvictionPolicy::kS3Fifo, .hot_blocks = hot, .scan_blocks = 0});
    EXPECT_GE(s3fifo.alone, lru.alone) << hot;
  }
}

TEST(ScanResistanceTest, WhatIsOnItsWayForStreamsCountsAsTheirShare) {
  constexpr std::uint64_t kHundred = 100;  // bytes are all relative; a stream's share is half of so small a cache
  for (const EvictionPolicy policy : {EvictionPolicy::kLru, EvictionPolicy::kS3Fifo}) {
    auto queue = MakeEvictionQueue(policy, kHundred);
    const bool lru = policy == EvictionPolicy::kLru;
    for (std::uint32_t slot = 0; slot < 30; ++slot) queue->OnInsert(slot, {slot, 1, InsertHint::kRandom});
    for (std::uint32_t slot = 0; slot < 30; ++slot) queue->OnHit(slot, InsertHint::kRandom);
    for (std::uint32_t slot = 30; slot < 40; ++slot) queue->OnInsert(slot, {slot, 1, InsertHint::kScan});
    const auto victim = [&](InsertHint hint, std::uint64_t coming) { return queue->Victim({hint, coming}); };
    for (std::uint32_t slot = 30; slot < 40; ++slot) {
      if (!lru) EXPECT_EQ(victim(InsertHint::kScan, 60), slot) << "streams drive out streams";
      queue->OnRemove(slot, EvictionQueue::Removal::kEvicted);
    }
    EXPECT_EQ(victim(InsertHint::kScan, 60).has_value(), lru) << "their share is on its way: no hot one goes for more";
    EXPECT_TRUE(victim(InsertHint::kScan, 40));
    EXPECT_TRUE(victim(InsertHint::kRandom, 60));
  }
}

TEST(ScanResistanceTest, OneHotEntryOutlivesABackfill) {
  constexpr std::uint64_t kBlock = 64 << 10;
  ShardedCache<int, int, std::hash<int>> cache(20 * kBlock, EvictionPolicy::kS3Fifo);
  cache.Insert(0, 0, kBlock);
  for (int touch = 0; touch < 3; ++touch) (void)cache.Find(0);
  for (int key = 1; key < 20; ++key) cache.Insert(key, key, kBlock);
  for (int key = 1000; key < 1200; ++key) cache.Insert(key, key, kBlock, InsertHint::kScan);  // ten caches
  EXPECT_TRUE(cache.Peek(0));
}

TEST(ScanResistanceTest, WhatWasHotOnceGoesInTheEnd) {
  constexpr std::uint64_t kBlock = 64 << 10;
  ShardedCache<int, int, std::hash<int>> cache(200 * kBlock, EvictionPolicy::kS3Fifo);
  for (int key = 0; key < 150; ++key) {
    cache.Insert(key, key, kBlock);
    for (int touch = 0; touch < 3; ++touch) (void)cache.Find(key);
  }
  for (int key = 1000; key < 1200; ++key) cache.Insert(key, key, kBlock);  // the hot ones reach main
  const auto hot_left = [&] {
    int left = 0;
    for (int key = 0; key < 150; ++key) left += cache.Peek(key).has_value();
    return left;
  };
  EXPECT_GE(hot_left(), 140);
  for (int key = 10'000; key < 200'000; ++key) cache.Insert(key, key, kBlock, InsertHint::kScan);
  EXPECT_EQ(hot_left(), 0);
}

}  // namespace
}  // namespace millrace
