// Goal: a read waits for nothing longer than its caller does, and no reader pays for another's haste. Method: a far
// store that is shut, readers with and without deadlines and stops on a simulated clock, which moves while they wait.
// Proves R5 (deadline), S9.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "env/thread_pool.h"
#include "read/far_fixture.h"
#include "read/read_many.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
constexpr ReadLimits kHurried{.timeout = milliseconds(1)};

/// Runs `call` while simulated time goes by on a thread of its own, from when `begun` returns.
template <class Call, class Begun>
auto WhileTimePasses(SimClock& clock, const Call& call, const Begun& begun) {
  std::atomic<bool> done{false};
  std::jthread passes([&] {
    begun();
    while (!done) {
      clock.Advance(std::chrono::microseconds(100));
      std::this_thread::yield();
    }
  });
  auto result = call();
  done = true;
  return result;
}

template <class Call>
auto WhileTimePasses(SimClock& clock, const Call& call) {
  return WhileTimePasses(clock, call, [] {});
}

Result<ReadResult> ReadHurried(FarFixture& far, Offset at) {
  return WhileTimePasses(far.f.clock, [&] { return far.f.partition.reader->Read(at, kHurried); });
}

FarOptions Unprefetched() { return {.prefetch = false, .block_cache_bytes = 64 * kMebibyte}; }

TEST(ReadDeadlineTest, AStoreThatNeverAnswersKeepsNobodyPastHisDeadline) {
  for (const bool index_at_hand : {false, true}) {
    FarFixture far(Unprefetched());
    far.MakeSegments(1, 3 * kMebibyte);
    if (index_at_hand) ASSERT_TRUE(far.f.partition.reader->Read(Offset(0), {.records_max = 1}));
    far.counting.Forget();
    far.counting.Shut(true);
    // Not before the store was asked: a reader whose time is over asks no store.
    const auto read = WhileTimePasses(
        far.f.clock, [&] { return far.f.partition.reader->Read(Offset(500), kHurried); },
        [&] { far.counting.AwaitGets(1); });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(far.counting.gets(), 1u);
    far.counting.Shut(false);
    EXPECT_TRUE(far.f.partition.reader->Read(Offset(500), {}));
  }
}

TEST(ReadDeadlineTest, WhoJoinedLeavesAtHisDeadlineAndTheRequestGoesOn) {
  FarFixture far(Unprefetched());
  far.MakeSegments(1, 3 * kMebibyte);
  ASSERT_TRUE(far.f.partition.reader->Read(Offset(0), {.records_max = 1}));
  far.counting.Forget();
  far.counting.Shut(true);
  std::jthread patient([&] { EXPECT_TRUE(far.f.partition.reader->Read(Offset(500), {.records_max = 1})); });
  far.counting.AwaitGets(1);
  EXPECT_EQ(ReadHurried(far, Offset(500)).error().code(), ErrorCode::kTimeout);  // the same block
  EXPECT_EQ(ReadHurried(far, Offset(400)).error().code(), ErrorCode::kTimeout);  // another block of the same chunk
  far.counting.Shut(false);
  patient.join();
  EXPECT_EQ(far.counting.gets(), 1u);
}

TEST(ReadDeadlineTest, WhoWaitsForAPrefetchedChunkLeavesAtHisDeadline) {
  FarFixture far({.threads = 2, .block_cache_bytes = 64 * kMebibyte});
  far.MakeSegments(1, 3 * kMebibyte);
  const auto first = far.f.partition.reader->Read(Offset(0), {.bytes_max = 256 << 10});
  ASSERT_TRUE(first);
  far.counting.Forget();
  far.counting.Shut(true);
  ASSERT_TRUE(far.f.partition.reader->Read(first->next, {.bytes_max = 256 << 10}));
  far.counting.AwaitGets(1);  // of the next chunk, ahead
  EXPECT_EQ(ReadHurried(far, Offset(300)).error().code(), ErrorCode::kTimeout);
  far.counting.Shut(false);
}

TEST(ReadDeadlineTest, ReadManyHasOneDeadlineOnEveryThreadAndForAllRounds) {
  FarFixture far(Unprefetched());
  far.MakeSegments(1, 3 * kMebibyte);
  ASSERT_TRUE(far.f.partition.reader->Read(Offset(0), {.records_max = 1}));
  far.counting.Shut(true);
  auto pool = ThreadPool::Start({.threads = 2}).value();
  const std::vector<PartitionRead> reads = {{far.f.partition.reader.get(), Offset(300)},
                                            {far.f.partition.reader.get(), Offset(600)},
                                            {far.f.partition.reader.get(), Offset(700)}};
  const auto results = WhileTimePasses(far.f.clock, [&] { return ReadMany(reads, kHurried, *pool); });
  ASSERT_EQ(results.size(), 3u);
  for (const auto& result : results) EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
  far.counting.Shut(false);
}

TEST(ReadDeadlineTest, AStopEndsEveryWaitWithKClosed) {
  FarFixture far(Unprefetched());
  far.MakeSegments(1, 3 * kMebibyte);
  ASSERT_TRUE(far.f.partition.reader->Read(Offset(0), {.records_max = 1}));
  far.counting.ObeyLimits(far.f.clock);
  far.counting.Forget();
  far.counting.Shut(true);
  std::stop_source stop;
  std::vector<std::jthread> readers;  // one leads a request, one joins it, one leads another
  for (const std::int64_t at : {400, 400, 700})
    readers.emplace_back([&, at] {
      const RequestScope scope({.stop = stop.get_token()});
      EXPECT_EQ(far.f.partition.reader->Read(Offset(at), {.records_max = 1}).error().code(), ErrorCode::kClosed);
    });
  far.counting.AwaitGets(2);
  stop.request_stop();
  readers.clear();
}

TEST(ReadDeadlineTest, ClosingEndsRequestsAheadAndSoDoesTheEndOfTheirPartition) {
  for (const bool close : {false, true}) {
    FarFixture far({.threads = 2, .block_cache_bytes = 64 * kMebibyte});
    far.MakeSegments(1, 3 * kMebibyte);
    const auto first = far.f.partition.reader->Read(Offset(0), {.bytes_max = 256 << 10});
    ASSERT_TRUE(first);
    far.counting.ObeyLimits(far.f.clock);
    far.counting.Forget();
    far.counting.Shut(true);
    ASSERT_TRUE(far.f.partition.reader->Read(first->next, {.bytes_max = 256 << 10}));
    far.counting.AwaitGets(1);
    if (close)
      far.prefetcher.Close();
    else
      far.f.partition.reader.reset();
  }
}

TEST(ReadDeadlineTest, ALargestTimeoutIsNoTimeout) {
  FarFixture far(Unprefetched());
  far.MakeSegments(1, kMebibyte);
  EXPECT_TRUE(far.f.partition.reader->Read(Offset(0), {.timeout = milliseconds::max()}));
}

}  // namespace
}  // namespace millrace
