// Goal: a cache in memory keeps to its budget at every moment, drops the least recently used, and counts truly. Method:
// against a model; threads. Proves R2 and R3 (in memory), S1, B18, B54-B58 for blocks.
#include "cache/sharded_cache.h"

#include <gtest/gtest.h>

#include <list>
#include <thread>

#include "env/seeded_random.h"

namespace millrace {
namespace {

using Cache = ShardedCache<int, int, std::hash<int>>;

TEST(ShardedCacheTest, AgreesWithAModelOfLru) {
  struct Entry {
    int key, value;
    std::uint64_t bytes;
  };
  Cache cache(1000);
  std::list<Entry> model;  // most recent first
  std::uint64_t hits = 0, misses = 0, evictions = 0, bytes = 0;
  SeededRandom random(7);
  for (int step = 0; step < 20'000; ++step) {
    const int key = static_cast<int>(random.Below(60));
    const auto found = std::find_if(model.begin(), model.end(), [&](const Entry& entry) { return entry.key == key; });
    switch (random.Below(4)) {
      case 0: {
        const std::uint64_t size = random.OneIn(50) ? 1001 : random.Below(200);
        cache.Insert(key, step, size);
        if (size > 1000) break;  // not kept, and nothing goes for it
        if (found != model.end()) {
          bytes -= found->bytes;
          model.erase(found);
        }
        while (bytes + size > 1000) {
          bytes -= model.back().bytes;
          model.pop_back();
          ++evictions;
        }
        model.push_front({key, step, size});
        bytes += size;
        break;
      }
      case 1:
        cache.Erase(key);
        if (found != model.end()) {
          bytes -= found->bytes;
          model.erase(found);
        }
        break;
      default: {
        const std::optional<int> value = cache.Find(key);
        ASSERT_EQ(value.has_value(), found != model.end());
        ++(value ? hits : misses);
        if (!value) break;
        ASSERT_EQ(*value, found->value);
        ASSERT_EQ(cache.Peek(key), value);
        model.splice(model.begin(), model, found);
      }
    }
    const CacheStats stats = cache.Stats();
    ASSERT_EQ(stats.bytes, bytes);
    ASSERT_EQ(stats.entries, model.size());
    ASSERT_EQ(stats.hits, hits);
    ASSERT_EQ(stats.misses, misses);
    ASSERT_EQ(stats.evictions, evictions);
  }
  EXPECT_GT(evictions, 500u);
}

TEST(ShardedCacheTest, ShardsShareTheBudgetAndThreadsKeepIt) {
  Cache cache(256 << 20);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      SeededRandom random(static_cast<std::uint64_t>(t));
      for (int i = 0; i < 5000; ++i) {
        const int key = static_cast<int>(random.Below(1000));
        cache.Insert(key, key, 1 << 20);
        if (const auto found = cache.Find(static_cast<int>(random.Below(1000)))) EXPECT_LT(*found, 1000);
        if (i % 100 == 0) EXPECT_LE(cache.Stats().bytes, 256u << 20);
      }
    });
  threads.clear();
  const CacheStats stats = cache.Stats();
  EXPECT_EQ(stats.bytes, stats.entries << 20);
  EXPECT_EQ(stats.bytes_max, 256u << 20);
  EXPECT_EQ(stats.hits + stats.misses, 20'000u);
}

}  // namespace
}  // namespace millrace
