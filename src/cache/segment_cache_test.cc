// Goal: what the disk cache counts is what lies on the disk, within its ceiling, in the order it promises, also after a
// restart. Method: small scenarios by number, and a model over 20,000 keys with re-puts and restarts. Sizes are of
// files: payload and header. Proves R1-R3, S1, S2, S5, S6, B53-B58, B60.
#include "cache/segment_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>

#include "cache/chunk_order.h"
#include "cache/segment_cache_fixture.h"

namespace millrace {
namespace {

TEST(SegmentCacheTest, B53AnAbsentKeyIsAMissAndWhatWasPutComesBackEqual) {
  SegmentCacheFixture fixture;
  EXPECT_TRUE(fixture.disk.List("/data/nested/cache/chunks")) << "made with its parents";
  EXPECT_FALSE(fixture.Get(1));
  ASSERT_TRUE(fixture.Put(1, 5000));
  EXPECT_TRUE(Same(fixture.Get(1), NumberedBytes(1, 5000 - kChunkHeaderBytes)));
  EXPECT_FALSE(fixture.Get(2));
  const SegmentCacheStats stats = fixture.cache->Stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_TRUE(stats.available);
}

TEST(SegmentCacheTest, RangesComeInMemoryOfTheirOwn) {
  SegmentCacheFixture fixture;
  ASSERT_TRUE(fixture.Put(1, 100'000));
  const SharedBytes all = NumberedBytes(1, 100'000 - kChunkHeaderBytes);
  const ByteRange ranges[] = {{0, 1}, {70'000, 29'944}, {5, 0}, {100, 20'000}};
  const auto parts = fixture.cache->Read(NumberedKey(1), ranges, Lookup::kReader);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 4u);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_TRUE(Same((*parts)[i], all.Slice(ranges[i].offset, ranges[i].length))) << i;
  EXPECT_NE((*parts)[0].owner(), (*parts)[1].owner());
}

TEST(SegmentCacheTest, B54BytesAndEntriesAreCounted) {
  SegmentCacheFixture fixture(10'000);
  ASSERT_TRUE(fixture.Put(1, 1000));
  ASSERT_TRUE(fixture.Put(2, 4000));
  const SegmentCacheStats stats = fixture.cache->Stats();
  EXPECT_EQ(stats.bytes, 5000u);
  EXPECT_EQ(stats.bytes_max, 10'000u);
  EXPECT_EQ(stats.entries, 2u);
  EXPECT_EQ(fixture.Look().bytes, 5000u);
}

TEST(SegmentCacheTest, B55TheFirstGoesAndItsFileToo) {
  SegmentCacheFixture fixture(1000);
  for (const std::uint64_t number : {1, 2, 3}) ASSERT_TRUE(fixture.Put(number, 500));
  EXPECT_FALSE(fixture.Has(1));
  EXPECT_FALSE(fixture.disk.Open(fixture.ChunkPath(1), {}));
  EXPECT_TRUE(Same(fixture.Get(2), NumberedBytes(2, 444)));
  EXPECT_TRUE(Same(fixture.Get(3), NumberedBytes(3, 444)));
  EXPECT_EQ(fixture.cache->Stats().evictions, 1u);
  EXPECT_EQ(fixture.Look().files, 2u);
}

TEST(SegmentCacheTest, FilesOfTheEvictedAreWrittenOverByShorterAndLongerChunks) {
  SegmentCacheFixture fixture(10'000);
  for (std::uint64_t number = 0; number < 60; ++number) {
    const auto bytes = [](std::uint64_t of) { return 2000 + of * 37 % 1500; };
    ASSERT_TRUE(fixture.Put(number, bytes(number)));
    for (std::uint64_t of = 0; of <= number; ++of)
      if (fixture.Has(of)) EXPECT_TRUE(Same(fixture.Get(of), NumberedBytes(of, bytes(of) - kChunkHeaderBytes))) << of;
    EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes);
    EXPECT_EQ(fixture.cache->Stats().entries, fixture.Look().files);
  }
  EXPECT_GT(fixture.cache->Stats().evictions, 50u);
}

TEST(SegmentCacheTest, RoomGivenBackTakesTheFileAlongThatWasToBeWrittenOver) {
  SegmentCacheFixture fixture(1000);
  ASSERT_TRUE(fixture.Put(1, 500));
  ASSERT_TRUE(fixture.Put(2, 400));
  {
    const auto room = fixture.cache->Reserve({.key = NumberedKey(3), .bytes = 300});
    ASSERT_TRUE(room);
    EXPECT_FALSE(fixture.Has(1));
    EXPECT_EQ(fixture.cache->Stats().bytes, 400 + 300 + kChunkHeaderBytes);
    EXPECT_EQ(fixture.Look().bytes, 400 + 300 + kChunkHeaderBytes) << "cut to what will be written";
  }
  EXPECT_EQ(fixture.cache->Stats().bytes, 400u);
  EXPECT_EQ(fixture.Look().files, 1u);
}

TEST(SegmentCacheTest, B56TouchedEntriesStayAndNoMoreGoThanNeeded) {
  SegmentCacheFixture fixture(1000);
  ASSERT_TRUE(fixture.Put(1, 500));
  ASSERT_TRUE(fixture.Put(2, 500));
  ASSERT_TRUE(fixture.Get(1));
  ASSERT_TRUE(fixture.Put(3, 500));
  EXPECT_TRUE(fixture.Has(1));
  EXPECT_FALSE(fixture.Has(2));

  SegmentCacheFixture many(1000);
  for (std::uint64_t number = 1; number <= 10; ++number) ASSERT_TRUE(many.Put(number, 100));
  ASSERT_TRUE(many.Put(11, 250));
  for (std::uint64_t number = 1; number <= 10; ++number) EXPECT_EQ(many.Has(number), number > 3) << number;
  EXPECT_EQ(many.cache->Stats().evictions, 3u);
}

TEST(SegmentCacheTest, B57PuttingAgainReturnsTheNewestAndCountsOnce) {
  SegmentCacheFixture fixture(10'000);
  ASSERT_TRUE(fixture.Put(1, 1000));
  const SharedBytes newer = NumberedBytes(1, 3000, 1);
  EXPECT_FALSE(fixture.PutBytes(1, newer)) << "a key names the same bytes for ever: nobody replaces them unasked";
  EXPECT_TRUE(Same(fixture.Get(1), NumberedBytes(1, 944)));
  EXPECT_TRUE(fixture.PutBytes(1, newer, {.if_present = SegmentCache::IfPresent::kReplace}));
  EXPECT_TRUE(Same(fixture.Get(1), newer));
  EXPECT_EQ(fixture.cache->Stats().bytes, 3000 + kChunkHeaderBytes);
  EXPECT_EQ(fixture.cache->Stats().entries, 1u);
  EXPECT_EQ(fixture.Look().files, 1u);
}

TEST(SegmentCacheTest, B58AnEntryAboveTheCeilingEvictsNothing) {
  SegmentCacheFixture fixture(1000);
  ASSERT_TRUE(fixture.Put(1, 900));
  EXPECT_FALSE(fixture.Put(2, 1001));
  EXPECT_FALSE(fixture.cache->Reserve({.key = NumberedKey(3), .bytes = UINT64_MAX}));
  EXPECT_TRUE(fixture.Has(1));
  EXPECT_EQ(fixture.cache->Stats().evictions, 0u);
  EXPECT_EQ(fixture.cache->Stats().bytes, 900u);
  EXPECT_TRUE(fixture.Put(3, 1000));
}

TEST(SegmentCacheTest, B60SameEntriesBytesAndRecencyAfterRestart) {
  for (const EvictionPolicy policy : {EvictionPolicy::kLru, EvictionPolicy::kS3Fifo}) {
    SegmentCacheFixture fixture(104'096, policy);  // 100,000 and the order's room
    for (std::uint64_t number = 0; number < 10; ++number) ASSERT_TRUE(fixture.Put(number, 10'000));
    for (const std::uint64_t touched : {0, 3, 7}) ASSERT_TRUE(fixture.Get(touched));
    const SegmentCacheStats before = fixture.cache->Stats();
    fixture.Reopen();
    const SegmentCacheStats after = fixture.cache->Stats();
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_EQ(after.bytes, 100'000u);
    EXPECT_EQ(after.entries, 10u);
    for (std::uint64_t number = 10; number < 17; ++number) ASSERT_TRUE(fixture.Put(number, 10'000));
    for (std::uint64_t number = 0; number < 10; ++number)
      EXPECT_EQ(fixture.Has(number), number == 0 || number == 3 || number == 7) << number;
    EXPECT_TRUE(Same(fixture.Get(7), NumberedBytes(7, 10'000 - kChunkHeaderBytes)));
  }
}

TEST(SegmentCacheTest, ALowerCeilingHoldsFromTheOpeningOnAndZeroRemovesAll) {
  SegmentCacheFixture fixture(10'000);
  for (std::uint64_t number = 0; number < 10; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  fixture.options.bytes_max = 3500;
  fixture.Reopen();
  EXPECT_EQ(fixture.Look().bytes, 3000u);
  EXPECT_EQ(fixture.cache->Stats().entries, 3u);
  fixture.options.bytes_max = 0;
  fixture.Reopen();
  EXPECT_EQ(fixture.Look().bytes_in_all, 0u);
  EXPECT_FALSE(fixture.Put(1, 100));
  EXPECT_FALSE(fixture.cache->Stats().available);
}

TEST(SegmentCacheTest, AnAdmissionThatIsGivenUpGivesItsRoomBack) {
  SegmentCacheFixture fixture(1000);
  {
    SegmentCache::Admission first = fixture.cache->Reserve({.key = NumberedKey(1), .bytes = 700});
    ASSERT_TRUE(first);
    EXPECT_EQ(fixture.cache->Stats().bytes, 756u);
    EXPECT_FALSE(fixture.cache->Reserve({.key = NumberedKey(1), .bytes = 700})) << "it is on its way";
    EXPECT_FALSE(fixture.cache->Reserve({.key = NumberedKey(2), .bytes = 700})) << "nothing there could go for it";
    EXPECT_FALSE(fixture.Has(1));
    SegmentCache::Admission moved = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it holds nothing is the question
  }
  EXPECT_EQ(fixture.cache->Stats().bytes, 0u);
  EXPECT_TRUE(fixture.Put(2, 756));
}

TEST(SegmentCacheTest, RequestsOfStreamsOnTheirWayDriveOutNothingThatIsReadAgain) {
  SegmentCacheFixture fixture(200'000, EvictionPolicy::kS3Fifo);
  for (std::uint64_t number = 1; number <= 90; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  for (std::uint64_t number = 1; number <= 90; ++number) ASSERT_TRUE(fixture.Get(number));
  const auto ask = [&](std::uint64_t number) {
    return fixture.cache->Reserve(
        {.key = NumberedKey(number), .bytes = 1000 - kChunkHeaderBytes, .hint = InsertHint::kScan});
  };
  const auto hot_left = [&] {
    int left = 0;
    for (std::uint64_t number = 1; number <= 90; ++number) left += fixture.Has(number);
    return left;
  };
  {
    std::vector<SegmentCache::Admission> asked;
    for (std::uint64_t number = 100; number < 400; ++number) asked.push_back(ask(number));
    EXPECT_GE(std::ranges::count_if(asked, [](const auto& room) { return bool{room}; }), 100);
    EXPECT_FALSE(asked.back()) << "there is no more room for streams";
    EXPECT_EQ(hot_left(), 90);
    EXPECT_TRUE(fixture.Put(500, 1000)) << "who reads here and there still gets room";
  }
  EXPECT_GE(hot_left(), 89);
  EXPECT_TRUE(ask(400)) << "what was given up does not count for ever";
}

TEST(SegmentCacheTest, ThePrefetcherIsCountedApart) {
  SegmentCacheFixture fixture(3000);
  const SegmentCache::Request ahead{.lookup = Lookup::kPrefetch, .hint = InsertHint::kScan};
  for (std::uint64_t number = 1; number <= 3; ++number) ASSERT_TRUE(fixture.Put(number, 1000, ahead));
  EXPECT_TRUE(fixture.Get(1, Lookup::kPrefetch));
  EXPECT_FALSE(fixture.Get(9, Lookup::kPrefetch));
  EXPECT_TRUE(fixture.Get(1));
  EXPECT_TRUE(fixture.Get(1));
  for (std::uint64_t number = 4; number <= 6; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  const SegmentCacheStats stats = fixture.cache->Stats();
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.misses, 0u);
  EXPECT_EQ(stats.prefetch_hits, 1u);
  EXPECT_EQ(stats.prefetch_misses, 1u);
  EXPECT_EQ(stats.prefetch_used_bytes, 944u);
  EXPECT_EQ(stats.wasted_prefetch, 2u) << "2 and 3 went unread";
  EXPECT_EQ(stats.prefetch_wasted_bytes, 2 * 944u);
}

TEST(SegmentCacheTest, S5NoNameBecomesAPathAndNoTwoKeysMeet) {
  std::map<std::string, ChunkKey> names;
  for (std::uint64_t number = 0; number < 20'000; ++number) {
    ChunkKey key = NumberedKey(number);
    if (number % 2 == 0) key.object = {};  // only the numbers differ
    key.segment_begin = number % 7;
    key.byte_begin = number;
    const std::string name = ChunkName::Of(key).ToString();
    ASSERT_EQ(name.size(), 32u);
    ASSERT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
    ASSERT_TRUE(names.emplace(name, key).second);
    ASSERT_EQ(ChunkName::Parse(name), ChunkName::Of(key));
  }
  for (const char* other : {"", "../x", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef.part",
                            "0123456789ABCDEF0123456789abcdef"})
    EXPECT_FALSE(ChunkName::Parse(other)) << other;
}

/// LRU as R2 says it, over files.
struct Model {
  struct Entry {
    std::uint64_t number = 0, bytes = 0, version = 0;
  };
  std::list<Entry> entries;  // most recent first
  std::uint64_t bytes = 0, bytes_max = 0, hits = 0, misses = 0, evictions = 0;

  auto Find(std::uint64_t number) {
    return std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.number == number; });
  }
  void Remove(std::list<Entry>::iterator at) {
    bytes -= at->bytes;
    entries.erase(at);
  }
};

TEST(SegmentCacheTest, S1S2S6AModelWithRePutsManyKeysAndRestartsAgreesWithTheFiles) {
  SegmentCacheFixture fixture(400'000);
  Model model;
  model.bytes_max = 400'000 - 4096;
  SeededRandom random(11);
  const auto check = [&] {
    const SegmentCacheStats stats = fixture.cache->Stats();
    const auto found = fixture.Look();
    ASSERT_EQ(stats.bytes, model.bytes);
    ASSERT_EQ(stats.entries, model.entries.size());
    ASSERT_EQ(found.files, model.entries.size());
    ASSERT_EQ(found.bytes, model.bytes);
    ASSERT_LE(found.bytes_in_all, 400'000u);
    ASSERT_EQ(stats.hits, model.hits);
    ASSERT_EQ(stats.misses, model.misses);
    ASSERT_EQ(stats.evictions, model.evictions);
  };
  std::uint64_t re_puts = 0;
  for (std::uint64_t step = 0; step < 25'000; ++step) {
    // New keys all the time, 20,000 in all, and some of the last 300 again.
    const std::uint64_t newest = step * 4 / 5;
    const std::uint64_t number = random.OneIn(2) ? newest : newest - std::min(newest, random.Below(300));
    const auto at = model.Find(number);
    if (random.OneIn(3)) {
      const bool hit =
          Same(fixture.Get(number), at == model.entries.end()
                                        ? SharedBytes()
                                        : NumberedBytes(number, at->bytes - kChunkHeaderBytes, at->version));
      ASSERT_EQ(hit, at != model.entries.end());
      ++(hit ? model.hits : model.misses);
      if (hit) model.entries.splice(model.entries.begin(), model.entries, at);
    } else if (random.OneIn(40)) {
      fixture.cache->Drop(NumberedKey(number));
      if (at != model.entries.end()) model.Remove(at);
    } else {
      const std::uint64_t bytes = 100 + random.Below(10'000);
      const SharedBytes value = NumberedBytes(number, bytes - kChunkHeaderBytes, step);
      ASSERT_TRUE(fixture.PutBytes(number, value, {.if_present = SegmentCache::IfPresent::kReplace}));
      if (at != model.entries.end()) {
        model.Remove(at);
        ++re_puts;
      }
      while (model.bytes + bytes > model.bytes_max) {
        model.Remove(std::prev(model.entries.end()));
        ++model.evictions;
      }
      model.entries.push_front({number, bytes, step});
      model.bytes += bytes;
    }
    if (step % 2500 == 2499) {
      fixture.Reopen();
      model.hits = model.misses = model.evictions = 0;
    }
    if (step % 25 == 0) ASSERT_NO_FATAL_FAILURE(check());
  }
  ASSERT_NO_FATAL_FAILURE(check());
  EXPECT_GT(re_puts, 500u);
}

TEST(SegmentCacheTest, TheOrderIsWrittenNowAndThenAndIsOnlyAHint) {
  SegmentCacheFixture fixture(16 << 20);
  for (std::uint64_t number = 0; number < 300; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  const std::filesystem::path order = fixture.options.directory / "order";
  EXPECT_EQ(ReadOrder(fixture.disk, order, 1 << 20).places.size(), 256u) << "after so many arrivals, without a close";
  fixture.cache->Close();
  EXPECT_EQ(ReadOrder(fixture.disk, order, 1 << 20).places.size(), 300u);
  for (std::uint64_t at = 0; at < fixture.disk.Contents(order).size(); at += 101) {
    fixture.disk.FlipBit(order, at, at % 8);
    EXPECT_TRUE(ReadOrder(fixture.disk, order, 1 << 20).places.empty()) << at;
    fixture.Open();
    EXPECT_EQ(fixture.cache->Stats().entries, 300u);
    EXPECT_EQ(fixture.cache->Stats().bytes, 300'000u);
    fixture.cache->Close();  // and it is written again
  }
}

TEST(SegmentCacheTest, OfManyEntriesTheOrderKeepsThoseThatGoLast) {
  SegmentCacheFixture fixture(1 << 20);
  for (std::uint64_t number = 0; number < 200; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  fixture.Reopen();
  const ChunkOrder order = ReadOrder(fixture.disk, fixture.options.directory / "order", 1 << 20);
  EXPECT_EQ(order.places.size(), 118u);
  EXPECT_EQ(order.left_out, 82u);
  for (std::uint64_t number = 1000; number < 1082 + 900; ++number) ASSERT_TRUE(fixture.Put(number, 1000));
  for (std::uint64_t number = 0; number < 82; ++number) EXPECT_FALSE(fixture.Has(number)) << number;
  for (std::uint64_t number = 138; number < 200; ++number) EXPECT_TRUE(fixture.Has(number)) << number;
}

TEST(SegmentCacheTest, TwoEnginesDoNotShareADirectory) {
  SegmentCacheFixture fixture;
  ASSERT_TRUE(fixture.Put(1, 1000));
  const auto second = SegmentCache::Open(fixture.options, fixture.disk, fixture.clock);
  EXPECT_FALSE(second->Stats().available);
  EXPECT_FALSE(second->Read(NumberedKey(1), {}, Lookup::kReader));
  EXPECT_FALSE(second->Reserve({.key = NumberedKey(2), .bytes = 10}));
  second->Close();
  EXPECT_TRUE(fixture.Get(1));
}

}  // namespace
}  // namespace millrace
