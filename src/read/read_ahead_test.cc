// Goal: cold bytes cross the network once, and ahead of readers that read in sequence, never for others. Method:
// a partition whose segments lie in a memory store that counts every request, streams driven step by step on one
// thread, then with threads against a store that is held shut. Proves R6, R7, S8 S9 (one fetch for all), S10 (one
// key, one path, every byte once), S11 S20 (looked up, sequential only, cancelled), S15, W28.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <tuple>

#include "read/far_fixture.h"
#include "store/metered_object_store.h"

namespace millrace {
namespace {

TEST(PrefetchTest, ScanFetchesEveryByteOnceAndUsesWhatCameAhead) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(3, 20 * kMebibyte);
  const ReadExplanation read = far.Scan(Offset(0), far.end);
  EXPECT_LE(far.counting.bytes_again(), 3 * FarFixture::kTailBytes);
  EXPECT_GE(far.used() * 100, far.stored_bytes * 80);
  EXPECT_LE(far.wasted() * 20, far.used());
  EXPECT_GE(read.prefetched * 100, read.bytes.object_store * 80);
  EXPECT_LE(far.counting.gets() - far.counting.ahead(), 3u);  // the reader's own: the first index, the first chunks
}

TEST(PrefetchTest, ReadsTellOfEveryRequestMadeForThemAheadOrNot) {
  for (const std::size_t threads : {0u, 4u}) {
    FarFixture far({.threads = threads, .block_cache_bytes = 64 * kMebibyte});
    far.MakeSegments(2, 4 * kMebibyte);
    const ReadExplanation read = far.Scan(Offset(0), far.end, 512 << 10);
    if (threads == 0) EXPECT_GT(far.counting.ahead(), 2u);
    EXPECT_EQ(read.requests, far.counting.gets());
    EXPECT_EQ(far.f.counters.requests, far.counting.gets());
    EXPECT_NEAR(read.cost_usd, RequestPrices{}.get_usd * static_cast<double>(far.counting.gets()), 1e-12);
    const auto sorted = [](std::vector<ReadExplanation::Range> ranges) {
      std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>> all;
      for (const auto& range : ranges) all.emplace_back(range.object, range.offset, range.length);
      std::ranges::sort(all);
      return all;
    };
    EXPECT_EQ(sorted(read.ranges), sorted(far.counting.ranges()));
  }
}

TEST(PrefetchTest, AScanOverASegmentThatIsPartlyOnDiskIsFetchedAheadAsOneThatIsNot) {
  FarFixture far({.disk_bytes = 128 * kMebibyte, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 16 * kMebibyte);
  const std::int64_t chunk = static_cast<std::int64_t>(kMebibyte / FarFixture::kRecordBytes);
  for (std::int64_t i = 4; i < 16; i += 4)  // one chunk in four, by readers here and there
    ASSERT_TRUE(far.f.partition.reader->Read(Offset(i * chunk + chunk / 2), {.records_max = 1}));
  far.counting.Forget();
  far.Reopen();
  far.Scan(Offset(0), far.end);
  EXPECT_LE(far.counting.gets() - far.counting.ahead(), 2u) << "requests the reader had to make himself";
  EXPECT_EQ(far.counting.bytes_again(), 0u);
}

TEST(PrefetchTest, WithoutAnyCacheTheScanStillFetchesOnce) {
  FarFixture far;
  far.MakeSegments(2, 12 * kMebibyte);
  far.Scan(Offset(0), far.end);
  EXPECT_LE(far.counting.bytes_again(), 3 * kMebibyte);  // what the first reads, which are of no stream, left over
}

TEST(PrefetchTest, FullScanCostsFewRequestsAndHardlyMoreBytesThanItServes) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(2, 64 * kMebibyte);
  const ReadExplanation read = far.Scan(Offset(0), far.end);
  // A gigabyte is 15 such segments: eight requests and an index each, and the start-up once, are less than 140.
  constexpr std::size_t kStartUp = 5;
  EXPECT_LE(far.counting.gets(), 2 * 9 + kStartUp);
  static_assert(15 * 9 + kStartUp <= 140);
  EXPECT_LE(static_cast<double>(far.counting.bytes()),
            1.05 * static_cast<double>(read.bytes.object_store + read.bytes.block_cache));
}

TEST(PrefetchTest, RandomReadsPrefetchNothingAndFetchNoMoreThanTheirChunks) {
  FarFixture far;
  far.MakeSegments(2, 16 * kMebibyte);
  SeededRandom random(11);
  for (int i = 0; i < 60; ++i) {
    const std::int64_t far_end = far.end.value();
    const Offset at(static_cast<std::int64_t>(random.Next() % static_cast<std::uint64_t>(far_end)) | 1);
    far.counting.Forget();
    const auto read = far.f.partition.reader->Read(at, {.records_max = 11});  // it ends at an even offset
    ASSERT_TRUE(read);
    EXPECT_LE(read->explanation.bytes.object_store, kMebibyte + (256 << 10));
    EXPECT_LE(far.counting.bytes(), 2 * kMebibyte + (512 << 10));  // ten records may lie in two chunks; and an index
    EXPECT_FALSE(far.prefetcher.FetchOnce());
  }
  EXPECT_EQ(far.used() + far.wasted(), 0u);
}

TEST(PrefetchTest, SeekIntoAColdSegmentFetchesItsIndexAndOneChunk) {
  FarFixture far;
  far.MakeSegments(1, 64 * kMebibyte);
  far.counting.Forget();
  const auto read = far.f.partition.reader->Read(Offset(far.end.value() / 2), {.records_max = 1});
  ASSERT_TRUE(read);
  EXPECT_EQ(far.counting.gets(), 2u);
  EXPECT_LE(far.counting.bytes(), kMebibyte + (64 << 10) + (512 << 10));
  far.counting.Forget();
  ASSERT_TRUE(far.f.partition.reader->Read(Offset(far.end.value() / 4), {.records_max = 1}));
  EXPECT_EQ(far.counting.gets(), 1u);  // the index is kept
}

TEST(PrefetchTest, ReadHereAndThereWaitsForOneRequestWhereverItLies) {
  FarFixture far;
  far.MakeSegments(1, 20 * kMebibyte);
  ASSERT_TRUE(far.f.partition.reader->Read(Offset(0), {.records_max = 1}));  // the index
  for (const std::uint64_t border : {8 * kMebibyte, 16 * kMebibyte}) {       // where requests of streams end
    const Offset at(static_cast<std::int64_t>(border / FarFixture::kRecordBytes) - 75);
    far.counting.Forget();
    const auto read = far.f.partition.reader->Read(at, {.records_max = 125});
    ASSERT_TRUE(read);
    EXPECT_GT(far.counting.bytes(), kMebibyte + (256 << 10)) << "it lies in two chunks";
    EXPECT_EQ(far.counting.gets(), 1u);
  }
}

TEST(PrefetchTest, SwitchedOffItAsksForNothingUnasked) {
  FarFixture far({.prefetch = false, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(2, 8 * kMebibyte);
  const ReadExplanation read = far.Scan(Offset(0), far.end);
  EXPECT_EQ(read.requests, far.counting.gets());
  EXPECT_EQ(read.prefetched, 0u);
  EXPECT_LE(far.counting.bytes_again(), 2 * FarFixture::kTailBytes);
}

TEST(PrefetchTest, WindowCrossesIntoTheNextSegmentBeforeTheReader) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(6, 3 * kMebibyte);
  const ReadExplanation read = far.Scan(Offset(0), far.end);
  // No index and no first chunk of a later segment is the reader's own request.
  EXPECT_LE(far.counting.gets() - far.counting.ahead(), 3u);
  EXPECT_EQ(read.requests, far.counting.gets());
  EXPECT_LE(far.counting.bytes_again(), 6 * FarFixture::kTailBytes);
}

TEST(PrefetchTest, RecordLimitsAndManyReadsInOneCallGoOnToo) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 12 * kMebibyte);
  Offset at(0);
  for (int i = 0; i < 200; ++i) {
    const auto read = far.f.partition.reader->Read(at, {.records_max = 7});  // ends within batches
    ASSERT_TRUE(read);
    at = read->next;
    far.RunPrefetch();
  }
  EXPECT_GT(far.used(), kMebibyte);
}

TEST(PrefetchTest, ConsumerThatIsBehindFindsOnDiskWhatTheFirstFetched) {
  FarFixture far({.disk_bytes = 64 * kMebibyte});
  far.MakeSegments(2, 16 * kMebibyte);
  far.Scan(Offset(0), far.end);
  const std::size_t first = far.counting.gets();
  far.Reopen();
  const ReadExplanation again = far.Scan(Offset(0), far.end);
  EXPECT_LE((far.counting.gets() - first) * 20, first);
  EXPECT_GE(again.bytes.segment_cache * 100, far.stored_bytes * 95);
}

TEST(PrefetchTest, ReaderWhoWaitsMakesTheWindowGrowBeforeHeHasHisBytes) {
  FarFixture far({.threads = 4, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 32 * kMebibyte);
  Offset at(0);
  for (int i = 0; i < 2; ++i) at = far.f.partition.reader->Read(at, {.bytes_max = kMebibyte}).value().next;
  far.counting.Forget();
  far.counting.Shut(true);
  std::jthread reader([&] {
    for (int i = 0; i < 3; ++i) {
      const auto read = far.f.partition.reader->Read(at, {.bytes_max = kMebibyte});
      ASSERT_TRUE(read);
      at = read->next;
    }
  });
  // The reader stands before the second of them at the latest; no arrival has called for what is asked for now.
  far.counting.AwaitBytes(3 * kMebibyte);
  far.counting.Shut(false);
}

TEST(PrefetchTest, DamagedChunkOfTheDiskIsDroppedAndFetchedAgain) {
  FarFixture far({.disk_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 4 * kMebibyte);
  // Something else stands on disk under the name of the first chunk.
  const auto opened = far.f.partition.segments->Find(Offset(0));
  const ChunkKey key{(**opened).object, (**opened).byte_begin, 0};
  const SharedBytes wrong = SharedBytes::Copy(std::vector<std::byte>(2 * kMebibyte, std::byte{7}));
  ASSERT_TRUE(far.disk->Admit(far.disk->Reserve({.key = key, .bytes = wrong.size()}), {&wrong, 1}));
  const ReadExplanation read = far.Scan(Offset(0), far.end);
  EXPECT_GT(read.bytes.object_store, 0u);
  EXPECT_LE(far.counting.bytes_again(), FarFixture::kTailBytes);
  far.Reopen();
  EXPECT_GE(far.Scan(Offset(0), far.end).bytes.segment_cache * 100, far.stored_bytes * 95);  // it was replaced
}

TEST(PrefetchTest, DamageInTheStoreIsNamedAndWhatLiesAroundItIsRead) {
  FarFixture far;
  far.MakeSegments(1, 4 * kMebibyte);
  ASSERT_TRUE(far.store.FlipBit("segments/1", 2 * kMebibyte, 3));
  Offset at(0);
  std::optional<Error> error;
  while (at < far.end) {
    const auto read = far.f.partition.reader->Read(at, {.on_damage = error ? OnDamage::kSkip : OnDamage::kFail});
    if (!read) {
      ASSERT_FALSE(error);
      error = read.error();
      continue;
    }
    ASSERT_GT(read->next, at);
    at = read->next;
    far.RunPrefetch();
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kCorruption);
  EXPECT_EQ(error->damage()->place, "segments/1");
  EXPECT_LE(error->damage()->byte_begin, 2 * kMebibyte);
  EXPECT_GT(error->damage()->byte_end, 2 * kMebibyte);
}

TEST(PrefetchTest, ScanThatSkipsAGapIsFetchedAheadOnBothSidesOfIt) {
  FarFixture far;
  far.MakeSegments(1, 8 * kMebibyte);
  far.f.AppendNumbered(10);
  const Offset gap_end = far.end + 10;
  far.f.UploadGap(far.f.partition, gap_end);
  far.MakeSegments(1, 8 * kMebibyte);
  std::size_t skipped = 0;
  std::uint64_t ahead_before_gap = 0;
  for (Offset at(0); at < far.end;) {
    const auto read = far.f.partition.reader->Read(at, {.on_damage = OnDamage::kSkip});
    ASSERT_TRUE(read) << read.error().ToString();
    skipped += read->skipped.size();
    at = read->next;
    if (skipped == 0) ahead_before_gap = far.used();
    far.RunPrefetch();
  }
  EXPECT_EQ(skipped, 1u);
  EXPECT_GT(ahead_before_gap, 0u);
  EXPECT_GT(far.used(), ahead_before_gap);
}

TEST(PrefetchTest, FailedPrefetchFailsNoRead) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(2, 8 * kMebibyte);
  Offset at(0);
  int rounds = 0;
  while (at < far.end) {
    const auto read = far.f.partition.reader->Read(at, {});
    ASSERT_TRUE(read) << read.error().ToString();
    at = read->next;
    if (++rounds % 2 == 0) far.counting.FailNext(1);
    far.RunPrefetch();
    far.counting.FailNext(0);
  }
  EXPECT_GE(far.counting.failed(), 3) << "requests ahead that failed";
  EXPECT_GT(far.used(), 0u) << "those behind the failed ones came ahead all the same";
}

TEST(PrefetchTest, SeekAndCloseLetGoOfWhatCameAhead) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 32 * kMebibyte);
  const Offset stopped(2000);
  far.Scan(Offset(0), stopped);
  EXPECT_GT(far.f.memory.bytes(), 0u);
  std::int64_t next = stopped.value();
  while (far.f.memory.bytes() > 0 && next < stopped.value() + 300) far.f.partition.reader->Abandon(Offset(next++));
  EXPECT_EQ(far.f.memory.bytes(), 0u);
  EXPECT_EQ(far.f.context.flights.chunks.count(), 0u);
  EXPECT_GT(far.wasted(), 0u);
  EXPECT_FALSE(far.prefetcher.FetchOnce());
}

TEST(PrefetchTest, StreamsTooManyToKeepTakeTheOldestOnesMemory) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 64 * kMebibyte);
  const std::int64_t apart = far.end.value() / 100;
  std::uint64_t held_by_one = 0, held_by_64 = 0, most = 0;
  for (int i = 0; i < 100; ++i) {
    far.Scan(Offset(i * apart), Offset(i * apart + apart / 2), 256 << 10);
    EXPECT_LE(far.f.memory.bytes(), 256 * kMebibyte / 2);
    most = std::max(most, far.f.memory.bytes());
    if (i == 0) held_by_one = far.f.memory.bytes();
    if (i == 63) held_by_64 = far.f.memory.bytes();
  }
  EXPECT_GT(held_by_one, 0u);
  EXPECT_GT(held_by_64, 8 * held_by_one) << "each stream holds what came ahead of it";
  // The streams that were given up hold nothing: what is there is of the last 64.
  std::uint64_t given_up = 0;
  for (int i = 0; i < 36; ++i) {
    const std::uint64_t before = far.f.memory.bytes();
    for (int back = 0; back < 128; ++back) far.f.partition.reader->Abandon(Offset(i * apart + apart / 2 + back));
    given_up += before - far.f.memory.bytes();
  }
  EXPECT_EQ(given_up, 0u);
  EXPECT_GT(far.wasted(), 0u);
}

TEST(PrefetchTest, ReaderThatNeedsTheMemoryGetsIt) {
  FarFixture far({.memory_bytes = 16 * kMebibyte});
  far.MakeSegments(1, 32 * kMebibyte);
  far.Scan(Offset(0), Offset(3000));
  EXPECT_GT(far.f.memory.bytes(), 4 * kMebibyte);
  EXPECT_EQ(far.wasted(), 0u);
  // The reader waits for no other: all of the budget but its own request is held by what came ahead.
  auto others = far.f.memory.Reserve(far.f.memory.bytes_max() - far.f.memory.bytes());
  const auto read = far.f.partition.reader->Read(Offset(6000), {.bytes_max = kMebibyte});
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_GT(read->records.size(), 200u);
  EXPECT_GT(far.wasted(), 0u) << "what came ahead of the other stream went for him";
  others->Release();
  const auto large = far.f.partition.reader->Read(Offset(6000), {.bytes_max = 16 * kMebibyte});
  ASSERT_TRUE(large);
  EXPECT_GT(large->records.size(), 500u);
  EXPECT_LE(far.f.memory.bytes_peak(), 16 * kMebibyte);
}

TEST(PrefetchTest, RequestThatFindsNoMemoryComesWholeAndInItsTurnOnceThereIsSome) {
  FarFixture far({.memory_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 64 * kMebibyte);
  far.Scan(Offset(0), Offset(4000));
  Offset at(4000);
  const auto read = [&] {
    const auto more = far.f.partition.reader->Read(at, {.bytes_max = kMebibyte});
    ASSERT_TRUE(more);
    at = more->next;
  };
  far.counting.Forget();
  for (int i = 0; i < 12; ++i) read();  // all of it was at hand; a request fits in again
  auto others = far.f.memory.Reserve(far.f.memory.bytes_max() - far.f.memory.bytes());
  ASSERT_TRUE(others);
  EXPECT_FALSE(far.prefetcher.FetchOnce());
  EXPECT_EQ(far.counting.gets(), 0u);
  others->Release();
  EXPECT_TRUE(far.prefetcher.FetchOnce());
  EXPECT_EQ(far.counting.gets(), 1u);
  EXPECT_GE(far.counting.bytes(), 6 * kMebibyte) << "all of it";
  while (at < far.end) {
    read();
    far.RunPrefetch();
  }
  EXPECT_EQ(far.wasted(), 0u);
}

TEST(PrefetchTest, AScanThatEndedHoldsUpNoOther) {
  FarFixture far({.memory_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 64 * kMebibyte);
  far.counting.Delay(far.f.clock, std::chrono::milliseconds(1));
  far.Scan(Offset(0), Offset(far.end.value() / 4));
  const std::uint64_t left = far.f.memory.bytes();
  ASSERT_GT(left, kJoinBytesMax);
  // Others take what is free of the part that bytes fetched ahead may have.
  auto others = far.f.memory.Reserve(far.f.memory.ahead_bytes_max() - left);
  ASSERT_TRUE(others);
  far.counting.Forget();
  Offset at(far.end.value() * 3 / 4);
  const auto read = [&] {
    const auto more = far.f.partition.reader->Read(at, {.bytes_max = kMebibyte});
    ASSERT_TRUE(more);
    at = more->next;
    far.RunPrefetch();
  };
  for (int i = 0; i < 4; ++i) read();
  EXPECT_EQ(far.counting.ahead(), 0U) << "the first reader may still come back for what it holds";
  EXPECT_EQ(far.wasted(), 0U);
  far.f.clock.Advance(2 * Prefetcher::kMovesWithin);
  for (int i = 0; i < 4; ++i) read();
  EXPECT_GT(far.counting.ahead(), 0U);
  EXPECT_GT(far.wasted(), 0U);
}

TEST(PrefetchTest, MemoryInFlightStaysWithinOneAndAHalfTimesBandwidthTimesDelay) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(3, 64 * kMebibyte);
  far.counting.Delay(far.f.clock, std::chrono::milliseconds(100));  // one after the other: 80 MiB/s at best
  far.Scan(Offset(0), far.end);
  EXPECT_LE(far.peak_memory, StreamWindow::kPipelineBytes * 3 / 2);
  EXPECT_GE(far.peak_memory, kJoinBytesMax);
}

TEST(PrefetchTest, ThirtyTwoReadersAndThePrefetcherOnOneColdChunkMakeOneRequest) {
  FarFixture far({.threads = 2, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 3 * kMebibyte);
  // Two reads in a row: the third chunk is on its way, held at the door.
  const auto first = far.f.partition.reader->Read(Offset(0), {.bytes_max = 256 << 10});
  ASSERT_TRUE(first);
  far.counting.Forget();
  far.counting.Shut(true);
  const auto second = far.f.partition.reader->Read(first->next, {.bytes_max = 256 << 10});
  ASSERT_TRUE(second);
  far.counting.AwaitGets(1);
  const Offset there(300);  // in the chunk that is on its way
  std::atomic<std::uint64_t> own{0}, fetched_ahead{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 32; ++i)
    readers.emplace_back([&, i] {
      const auto read = far.f.partition.reader->Read(there + 3 * i, {.records_max = 1});  // no reader goes on
      ASSERT_TRUE(read);
      EXPECT_EQ(read->records.front().offset, there + 3 * i);
      own += read->explanation.requests;
      fetched_ahead += read->explanation.prefetched;
    });
  far.counting.Shut(false);
  readers.clear();
  EXPECT_EQ(own, 0u);
  EXPECT_GT(fetched_ahead, 0u);
  EXPECT_EQ(far.counting.bytes_again(), 0u) << far.counting.gets() << " requests";  // more may come ahead meanwhile
}

TEST(PrefetchTest, HundredReadersOfOneColdSegmentCostTheRequestsOfOne) {
  std::size_t gets_of_one = 0;
  {
    FarFixture far({.threads = 4, .disk_bytes = 64 * kMebibyte, .block_cache_bytes = 64 * kMebibyte});
    far.MakeSegments(1, 16 * kMebibyte);
    far.Scan(Offset(0), far.end);
    gets_of_one = far.counting.gets();
  }
  FarFixture far({.threads = 4, .disk_bytes = 64 * kMebibyte, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 16 * kMebibyte);
  std::vector<std::jthread> readers;
  for (int i = 0; i < 100; ++i) {
    readers.emplace_back([&] {
      for (Offset at(0); at < far.end;) {
        const auto read = far.f.partition.reader->Read(at, {});
        ASSERT_TRUE(read) << read.error().ToString();
        ASSERT_GT(read->next, at);
        at = read->next;
      }
    });
  }
  readers.clear();
  EXPECT_LE(far.counting.bytes_again(), FarFixture::kTailBytes);
  // A reader that is faster than the pool's threads asks itself, for less at once. How often, the scheduler decides;
  // nothing may be fetched twice, however often that is. A benchmark measures how many requests it comes to.
  EXPECT_LE(far.counting.gets(), 2 * gets_of_one + 6);
}

TEST(PrefetchTest, StreamsThatIdleGiveTheirMemoryBackWithoutAnotherRead) {
  FarFixture far({.block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 32 * kMebibyte);
  far.Scan(Offset(0), Offset(2000));
  EXPECT_GT(far.f.memory.bytes(), 0u);
  far.f.clock.Advance(Prefetcher::kIdleMax);
  far.prefetcher.DropIdle();
  EXPECT_GT(far.f.memory.bytes(), 0u);  // not yet
  far.f.clock.Advance(std::chrono::seconds(1));
  far.prefetcher.DropIdle();
  EXPECT_EQ(far.f.memory.bytes(), 0u);
  EXPECT_EQ(far.f.context.flights.chunks.count(), 0u);
  EXPECT_FALSE(far.prefetcher.FetchOnce());
}

TEST(PrefetchTest, CloseInMidFlightWaitsForItAndLeavesNothing) {
  FarFixture far({.threads = 2});
  far.MakeSegments(1, 16 * kMebibyte);
  const auto first = far.f.partition.reader->Read(Offset(0), {});
  far.counting.Forget();
  far.counting.Shut(true);
  std::jthread reader([&] { (void)far.f.partition.reader->Read(first->next, {}); });
  far.counting.AwaitGets(2);  // the reader's own and one ahead
  std::jthread closer([&] { far.prefetcher.Close(); });
  far.counting.Shut(false);
  closer.join();
  reader.join();
  EXPECT_EQ(far.f.context.flights.chunks.count(), 0u);
  EXPECT_EQ(far.f.memory.bytes(), 0u);
  const std::size_t gets = far.counting.gets();
  far.Scan(Offset(0), Offset(500));
  EXPECT_FALSE(far.prefetcher.FetchOnce());
  EXPECT_GT(far.counting.gets(), gets);  // readers go on alone
}

}  // namespace
}  // namespace millrace
