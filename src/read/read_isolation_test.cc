// Goal: one reader's backfill costs the others nothing, and no failure of the cache's disk reaches a reader. Method:
// scans of far segments many times as large as every cache beside a hot set and a tail, judged by counts alone; then
// scans while each call of the cache's disk fails in turn. Proves S8 S9 (a disk that fails fails no read), S3, S33
// (eviction, with prefetch and without).
#include <gtest/gtest.h>

#include "read/far_fixture.h"

namespace millrace {
namespace {

struct Case {
  std::string_view name;
  bool prefetch = true;
  bool on_disk = true;  // the hot set lies there; otherwise in memory
};

class ReadIsolationTest : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr int kHot = 4;  // places, each in a chunk of its own

  static FarOptions Options() {
    FarOptions options{.prefetch = GetParam().prefetch};
    if (GetParam().on_disk)
      options.disk_bytes = 12 * kMebibyte;
    else
      options.block_cache_bytes = 6 * kMebibyte;
    return options;
  }
  /// Requests that it takes to read every hot place once. None of them begins where another read ended.
  static std::size_t ReadHotSet(FarFixture& far) {
    const std::size_t before = far.counting.gets();
    for (int i = 0; i < kHot; ++i) {
      const auto read = far.f.partition.reader->Read(Offset(i * 288 + 33), {.records_max = 1});
      EXPECT_TRUE(read && !read->records.empty());
    }
    return far.counting.gets() - before;
  }
};

INSTANTIATE_TEST_SUITE_P(Caches, ReadIsolationTest,
                         ::testing::Values(Case{"DiskWithPrefetch", true, true}, Case{"DiskAlone", false, true},
                                           Case{"MemoryWithPrefetch", true, false}, Case{"MemoryAlone", false, false}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(ReadIsolationTest, BackfillLeavesTheHotSetWhereItIs) {
  FarFixture far(Options());
  far.MakeSegments(1, 6 * kMebibyte);
  const Offset cold = far.end;
  far.MakeSegments(1, 24 * kMebibyte);
  for (int i = 0; i < 4; ++i) ReadHotSet(far);
  EXPECT_EQ(ReadHotSet(far), 0u);
  // Small reads: every block is looked up more than once, which makes nothing of the backfill hot.
  far.Scan(cold, far.end, 40'000);
  EXPECT_EQ(ReadHotSet(far), 0u) << "the backfill drove out what is read again and again";
}

TEST(ReadIsolationTest, BackfillTakesNeitherTheTailNorTheBudget) {
  FarFixture far({.disk_bytes = 8 * kMebibyte, .memory_bytes = 16 * kMebibyte});
  far.MakeSegments(1, 20 * kMebibyte);
  const Offset tail = far.end;
  for (int i = 0; i < 20; ++i) far.f.AppendNumbered(16, FarFixture::kRecordBytes);
  const std::uint64_t tail_bytes = far.f.tail_cache.bytes();
  ASSERT_GT(tail_bytes, kMebibyte);
  for (Offset at(0); at < tail;) {
    const auto backfill = far.f.partition.reader->Read(at, {});
    ASSERT_TRUE(backfill);
    at = backfill->next;
    far.RunPrefetch();
    EXPECT_LE(far.f.memory.bytes(), far.f.memory.bytes_max() / 4 * 3);  // the rest is the others'
    const std::size_t gets = far.counting.gets();
    const auto read = far.f.partition.reader->Read(tail, {.bytes_max = 8 * kMebibyte});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->records.size(), 320u);
    EXPECT_GT(read->explanation.bytes.tail, kMebibyte);
    EXPECT_EQ(read->explanation.bytes.wal, 0u);
    EXPECT_EQ(far.counting.gets(), gets);
    EXPECT_EQ(read->explanation.wait.count(), 0);
  }
  EXPECT_EQ(far.f.tail_cache.bytes(), tail_bytes);
  EXPECT_LE(far.f.memory.bytes_peak(), far.f.memory.bytes_max());
}

TEST(ReadIsolationTest, WhicheverCallOfTheDiskFailsReadersGetTheRightBytes) {
  constexpr std::uint64_t kBytes = kMebibyte * 5 / 4;  // two chunks and the tail
  std::uint64_t calls = 0;
  {
    FarFixture far({.disk_bytes = 16 * kMebibyte});
    far.MakeSegments(1, kBytes);
    const std::uint64_t opened = far.faulty_files.calls();
    for (int i = 0; i < 2; ++i) far.Scan(Offset(0), far.end);
    calls = far.faulty_files.calls() - opened;
  }
  ASSERT_GT(calls, 10u);
  constexpr ErrorCode kCodes[] = {ErrorCode::kUnavailable, ErrorCode::kOutOfSpace, ErrorCode::kCorruption};
  for (std::uint64_t n = 1; n <= calls; ++n) {
    FarFixture far({.disk_bytes = 16 * kMebibyte});
    far.MakeSegments(1, kBytes);
    far.faulty_files.FailCall(far.faulty_files.calls() + n, Error(kCodes[n % 3], "the cache's disk"));
    for (int i = 0; i < 2; ++i) far.Scan(Offset(0), far.end);  // checks every record
    EXPECT_LE(far.disk->Stats().bytes, 16 * kMebibyte);
    if (::testing::Test::HasFailure()) FAIL() << "call " << n << " of " << calls;
  }
}

}  // namespace
}  // namespace millrace
