// Goal: nothing that happens to the cache's disk makes a read wrong or fail, and nothing it does passes the ceiling at
// any instant. Method: files truncated, garbled and strange; every single call failed in turn; a crash after every
// single change of the disk; a full disk; a directory deleted or without permissions below it; 16 threads putting three
// times the ceiling with a look at the disk after every change. Proves S3, S4, S7, S8, B59, row 11 for the cache.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "cache/segment_cache_fixture.h"
#include "env/faulty_file_system.h"
#include "env/posix_file_system.h"
#include "env/temporary_directory.h"

namespace millrace {
namespace {

/// What every read must be: the right bytes, or nothing.
void ExpectRightOrMiss(SegmentCacheFixture& fixture, std::uint64_t number, std::uint64_t file_bytes) {
  const SharedBytes right = NumberedBytes(number, file_bytes - kChunkHeaderBytes);
  if (const auto whole = fixture.Get(number)) EXPECT_TRUE(Same(whole, right)) << number;
}

TEST(SegmentCacheFaultTest, S3TruncatedFilesAreMissesAndPutAgain) {
  for (const std::uint64_t cut : {0u, 1u, 55u, 56u, 57u, 1000u, 4999u}) {
    SegmentCacheFixture fixture;
    ASSERT_TRUE(fixture.Put(1, 5000));
    ASSERT_TRUE(fixture.Put(2, 5000));
    fixture.cache->Close();
    ASSERT_TRUE((*fixture.disk.Open(fixture.ChunkPath(1), {.access = FileAccess::kReadWrite}))->Truncate(cut));
    fixture.Open();
    const ByteRange range{100, 50};
    EXPECT_FALSE(fixture.cache->Read(NumberedKey(1), {&range, 1}, Lookup::kReader)) << cut;
    EXPECT_FALSE(fixture.Has(1)) << "and is gone";
    EXPECT_TRUE(fixture.Put(1, 5000)) << "one refetch";
    EXPECT_TRUE(Same(fixture.Get(1), NumberedBytes(1, 4944)));
    EXPECT_TRUE(Same(fixture.Get(2), NumberedBytes(2, 4944)));
    EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes);
  }
}

TEST(SegmentCacheFaultTest, S3EveryFlippedBitIsAMissWhenTheWholeIsRead) {
  constexpr std::uint64_t kBytes = 300;
  SegmentCacheFixture fixture;
  for (std::uint64_t at = 0; at < kBytes; ++at) {
    ASSERT_TRUE(fixture.Put(1, kBytes));
    fixture.disk.FlipBit(fixture.ChunkPath(1), at, at % 8);
    EXPECT_FALSE(fixture.Get(1)) << at;
    EXPECT_FALSE(fixture.Has(1)) << at;
  }
  EXPECT_EQ(fixture.Look().files, 0u);
}

TEST(SegmentCacheFaultTest, S3AHeaderIsCheckedBeforePartsOfAFoundFileAreRead) {
  for (std::uint64_t at = 0; at < kChunkHeaderBytes; ++at) {
    SegmentCacheFixture fixture;
    ASSERT_TRUE(fixture.Put(1, 300));
    fixture.cache->Close();
    fixture.disk.FlipBit(fixture.ChunkPath(1), at, at % 8);
    fixture.Open();
    const ByteRange range{0, 10};
    EXPECT_FALSE(fixture.cache->Read(NumberedKey(1), {&range, 1}, Lookup::kReader)) << at;
  }
}

TEST(SegmentCacheFaultTest, S3ForeignAndPartialFilesAreRemovedAndAChunkUnderAnotherNameIsAMiss) {
  SegmentCacheFixture fixture;
  ASSERT_TRUE(fixture.Put(1, 1000));
  ASSERT_TRUE(fixture.Put(2, 1000));
  fixture.cache->Close();
  const std::filesystem::path chunks = fixture.options.directory / "chunks";
  const auto make = [&](const std::filesystem::path& path, std::string_view text) {
    const auto file = fixture.disk.Open(path, {FileAccess::kReadWrite, FileCreation::kOpenOrCreate});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->WriteAt(0, AsBytes(text)));
  };
  make(chunks / "readme", "who put this here?");
  make(chunks / "0123456789abcdef0123456789abcdef.part", std::string(500, 'x'));
  make(chunks / "0123456789abcdef0123456789abcdef", std::string(500, 'x'));
  make(fixture.options.directory / "mine", "not ours to remove");
  ASSERT_TRUE(fixture.disk.Rename(fixture.ChunkPath(2), fixture.ChunkPath(3)));
  fixture.Open();
  EXPECT_EQ(fixture.Look().files, 3u);
  EXPECT_FALSE(fixture.Get(3)) << "it is chunk 2's";
  EXPECT_FALSE(fixture.Get(2));
  EXPECT_TRUE(fixture.Get(1));
  EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes);
  EXPECT_TRUE(fixture.disk.Open(fixture.options.directory / "mine", {}));
}

TEST(SegmentCacheFaultTest, S8EveryCallThatFailsCostsAMissAtMost) {
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kOutOfSpace}) {
    for (std::uint64_t n = 1;; ++n) {
      SegmentCacheFixture fixture(10'000);
      fixture.cache->Close();
      FaultyFileSystem faulty(fixture.disk);
      fixture.below = &faulty;
      faulty.FailCall(n, Error(code, "planned"));
      fixture.Open();
      for (std::uint64_t number = 0; number < 6; ++number) {
        (void)fixture.Put(number, 3000);
        ExpectRightOrMiss(fixture, number, 3000);
        ExpectRightOrMiss(fixture, number / 2, 3000);
        ASSERT_LE(fixture.Look().bytes_in_all, 10'000u);
      }
      const bool clean = faulty.calls() < n;
      faulty.SetPlan(nullptr);
      fixture.clock.Advance(std::chrono::minutes(2));  // the disk is given another chance
      const bool off = !fixture.cache->Stats().available;
      EXPECT_NE(fixture.Put(100, 3000), off) << n;
      EXPECT_NE(fixture.Get(100).has_value(), off) << n;
      if (!off) EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes) << n;
      fixture.cache->Close();
      fixture.cache.reset();
      if (clean) break;
      ASSERT_LT(n, 500u);
    }
  }
}

TEST(SegmentCacheFaultTest, S8ADiskThatStaysBadIsLeftAloneAndTriedAgain) {
  SegmentCacheFixture fixture(10'000);
  fixture.cache->Close();
  FaultyFileSystem faulty(fixture.disk);
  fixture.below = &faulty;
  fixture.Open();
  ASSERT_TRUE(fixture.Put(1, 1000));
  faulty.SetPlan([](std::uint64_t) { return Error(ErrorCode::kUnavailable, "planned"); });
  EXPECT_FALSE(fixture.Put(2, 1000));
  const std::uint64_t calls = faulty.calls();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(fixture.Put(3, 1000));
  EXPECT_EQ(faulty.calls(), calls) << "nobody asks it meanwhile";
  EXPECT_FALSE(fixture.cache->Stats().available);
  faulty.SetPlan(nullptr);
  fixture.clock.Advance(std::chrono::minutes(1));
  EXPECT_TRUE(fixture.Put(3, 1000));
  EXPECT_TRUE(fixture.cache->Stats().available);
  EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes);
}

TEST(SegmentCacheFaultTest, AFailingDiskIsToldWithItsErrorAndSinceWhenUntilItWorksAgain) {
  SegmentCacheFixture fixture(10'000);
  fixture.cache->Close();
  std::vector<std::uint64_t> told;
  fixture.options.on_failure = [&](const BackgroundFailure& failure) { told.push_back(failure.times); };
  fixture.Open();
  ASSERT_TRUE(fixture.Put(1, 1000));
  EXPECT_FALSE(fixture.cache->Stats().failure);
  const std::int64_t since_ms = fixture.clock.WallMs();
  fixture.disk.SetCapacity(0);
  EXPECT_FALSE(fixture.Put(2, 1000));
  fixture.clock.Advance(std::chrono::minutes(1));
  EXPECT_TRUE(fixture.Get(1)) << "reading works, and ends no row of failed writes";
  EXPECT_FALSE(fixture.Put(2, 1000));
  const auto failure = fixture.cache->Stats().failure;
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->error.code(), ErrorCode::kOutOfSpace);
  EXPECT_NE(failure->error.message().find(fixture.options.directory.native()), std::string_view::npos);
  EXPECT_EQ(failure->since_ms, since_ms);
  EXPECT_EQ(failure->times, 2u);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{1, 2}));
  fixture.disk.SetCapacity(std::nullopt);
  fixture.clock.Advance(std::chrono::minutes(1));
  EXPECT_TRUE(fixture.Put(2, 1000));
  EXPECT_FALSE(fixture.cache->Stats().failure);
  fixture.disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
    return operation == SimOperation::kRead ? std::optional(SimFault{}) : std::nullopt;
  });
  EXPECT_FALSE(fixture.Get(1));
  ASSERT_TRUE(fixture.cache->Stats().failure);
  EXPECT_EQ(fixture.cache->Stats().failure->error.code(), ErrorCode::kUnavailable);
  fixture.disk.SetFaultPlan(nullptr);
}

TEST(SegmentCacheFaultTest, S8AFullDiskKeepsWhatIsThereAndLeavesNothingHalf) {
  SegmentCacheFixture fixture(1 << 20);
  ASSERT_TRUE(fixture.Put(1, 50'000));
  fixture.disk.SetCapacity(120'000);
  EXPECT_FALSE(fixture.Put(2, 100'000));
  EXPECT_TRUE(Same(fixture.Get(1), NumberedBytes(1, 50'000 - kChunkHeaderBytes))) << "reading goes on";
  EXPECT_EQ(fixture.Look().files, 1u);
  EXPECT_EQ(fixture.cache->Stats().bytes, 50'000u);
  fixture.disk.SetCapacity(std::nullopt);
  fixture.clock.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(fixture.Put(2, 100'000));
}

TEST(SegmentCacheFaultTest, ACrashAfterEveryChangeLeavesRightBytesOrNone) {
  constexpr std::uint64_t kCeiling = 10'000;
  SegmentCacheFixture fixture(kCeiling);
  std::vector<std::shared_ptr<const SimFileSystem::Image>> images;
  fixture.disk.SetObserver(
      [&](SimOperation, const std::filesystem::path&) { images.push_back(fixture.disk.Snapshot()); });
  for (std::uint64_t number = 0; number < 6; ++number) (void)fixture.Put(number, 3000);
  (void)fixture.Put(5, 2000, {.if_present = SegmentCache::IfPresent::kReplace});
  fixture.cache->Drop(NumberedKey(4));
  fixture.cache->Close();
  fixture.disk.SetObserver(nullptr);
  ASSERT_GT(images.size(), 30u);
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto after = SimFileSystem::AfterPowerLoss(*images[i], seed);
      SegmentCacheFixture restarted(kCeiling);
      restarted.cache->Close();
      restarted.below = after.get();
      restarted.Open();
      std::uint64_t bytes = 0;
      for (const DirectoryEntry& entry : after->List("/data/nested/cache/chunks").value()) {
        EXPECT_TRUE(ChunkName::Parse(entry.name)) << entry.name;
        bytes += entry.size_bytes;
      }
      EXPECT_EQ(restarted.cache->Stats().bytes, bytes);
      EXPECT_LE(bytes, kCeiling);
      for (std::uint64_t number = 0; number < 6; ++number) {
        const auto got = restarted.Get(number);
        const SharedBytes right =
            NumberedBytes(number, (got && number == 5 && got->size() < 2500 ? 2000 : 3000) - kChunkHeaderBytes);
        if (got) EXPECT_TRUE(Same(got, right)) << i << ' ' << seed << ' ' << number;
      }
      EXPECT_TRUE(restarted.Put(77, 3000));
      restarted.cache->Close();
      restarted.cache.reset();
    }
  }
}

TEST(SegmentCacheFaultTest, S4S7B59SixteenThreadsNeverPassTheCeilingAndReadWholeValues) {
  for (const EvictionPolicy policy : {EvictionPolicy::kLru, EvictionPolicy::kS3Fifo}) {
    constexpr std::uint64_t kCeiling = 400'000;
    SegmentCacheFixture fixture(kCeiling, policy);
    std::atomic<std::uint64_t> samples{0}, above{0}, hits{0};
    fixture.disk.SetObserver([&](SimOperation operation, const std::filesystem::path&) {
      if (operation != SimOperation::kWrite && operation != SimOperation::kRename) return;
      ++samples;
      if (fixture.Look().bytes_in_all > kCeiling || fixture.cache->Stats().bytes > kCeiling) ++above;
    });
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 16; ++t)
      threads.emplace_back([&, t] {
        SeededRandom random(t);
        for (std::uint64_t i = 0; i < 25; ++i) {
          const std::uint64_t own = 1000 * (t + 1) + i, shared = random.Below(20);
          (void)fixture.Put(own, 3000 + random.Below(400));  // 16 x 25 x 3,200: three times the ceiling
          const SharedBytes bytes = NumberedBytes(shared, 2000 + 100 * shared);
          const bool again = random.OneIn(4);
          (void)fixture.PutBytes(
              shared, bytes,
              {.if_present = again ? SegmentCache::IfPresent::kReplace : SegmentCache::IfPresent::kRefuse});
          const std::uint64_t wanted = random.Below(20);
          if (const auto got = fixture.Get(wanted)) {
            EXPECT_TRUE(Same(got, NumberedBytes(wanted, 2000 + 100 * wanted)));
            ++hits;
          }
          if (random.OneIn(30)) fixture.cache->Drop(NumberedKey(random.Below(20)));
        }
      });
    threads.clear();
    fixture.disk.SetObserver(nullptr);
    EXPECT_EQ(above.load(), 0u);
    EXPECT_GT(samples.load(), 500u);
    EXPECT_GT(hits.load(), 50u);
    EXPECT_EQ(fixture.cache->Stats().bytes, fixture.Look().bytes);
    EXPECT_EQ(fixture.cache->Stats().entries, fixture.Look().files);
  }
}

TEST(SegmentCacheFaultTest, B59TenWritersOfOneKeyLeaveOneWholeValue) {
  SegmentCacheFixture fixture;
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 10; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i)
        (void)fixture.PutBytes(1, NumberedBytes(1, 5000, t), {.if_present = SegmentCache::IfPresent::kReplace});
    });
  threads.clear();
  const auto left = fixture.Get(1);
  ASSERT_TRUE(left);
  bool whole = false;
  for (std::uint64_t t = 0; t < 10; ++t) whole = whole || Same(left, NumberedBytes(1, 5000, t));
  EXPECT_TRUE(whole);
  EXPECT_EQ(fixture.cache->Stats().bytes, 5000 + kChunkHeaderBytes);
  EXPECT_EQ(fixture.Look().files, 1u);
}

TEST(SegmentCacheFaultTest, S7AnEntryInUseIsNotPulledAway) {
  SegmentCacheFixture fixture(10'000);
  ASSERT_TRUE(fixture.Put(1, 4000));
  ASSERT_TRUE(fixture.Put(2, 4000));
  bool asked = false;
  fixture.disk.SetFaultPlan([&](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
    if (operation == SimOperation::kRead && !asked) {  // in the middle of reading chunk 1
      asked = true;
      EXPECT_TRUE(fixture.Put(3, 4000));
      EXPECT_FALSE(fixture.Put(4, 6500)) << "chunk 1 would have to go";
      EXPECT_TRUE(fixture.disk.Open(fixture.ChunkPath(1), {}));
    }
    return std::optional<SimFault>();
  });
  EXPECT_TRUE(Same(fixture.Get(1), NumberedBytes(1, 3944)));
  EXPECT_TRUE(asked);
  EXPECT_TRUE(fixture.Has(1));
  EXPECT_FALSE(fixture.Has(2));
}

/// A real directory, since directories that vanish or lose their permissions are the machine's.
class SegmentCacheRealDiskTest : public testing::Test {
 protected:
  SegmentCacheRealDiskTest() {
    options_ = {.directory = root_.path() / "cache", .bytes_max = 1 << 20};
    cache_ = SegmentCache::Open(options_, disk_, clock_);
  }
  ~SegmentCacheRealDiskTest() override {
    ::chmod((options_.directory / "chunks").c_str(), 0700);
    cache_->Close();
  }
  bool Put(std::uint64_t number) {
    const SharedBytes bytes = NumberedBytes(number, 10'000);
    return cache_->Admit(cache_->Reserve({.key = NumberedKey(number), .bytes = bytes.size()}), {&bytes, 1});
  }
  bool Get(std::uint64_t number) {
    const auto got = cache_->Read(NumberedKey(number), {}, Lookup::kReader);
    if (got) EXPECT_TRUE(Same(got->front(), NumberedBytes(number, 10'000)));
    return got.has_value();
  }

  const TemporaryDirectory root_;
  PosixFileSystem disk_;
  SimClock clock_;
  SegmentCacheOptions options_;
  std::unique_ptr<SegmentCache> cache_;
};

TEST_F(SegmentCacheRealDiskTest, ADirectoryDeletedUnderItIsMadeAgain) {
  for (std::uint64_t number = 0; number < 5; ++number) ASSERT_TRUE(Put(number));
  std::filesystem::remove_all(options_.directory);
  EXPECT_FALSE(Get(0));
  EXPECT_TRUE(Put(9));
  EXPECT_TRUE(Get(9));
  EXPECT_EQ(cache_->Stats().entries, 1u) << "what went with the directory is forgotten";
  EXPECT_EQ(cache_->Stats().bytes, 10'000 + kChunkHeaderBytes);
}

TEST_F(SegmentCacheRealDiskTest, WhereItCannotBeMadeItIsOff) {
  {
    std::ofstream(root_.path() / "file") << "in the way";
  }
  const auto off = SegmentCache::Open({.directory = root_.path() / "file" / "cache"}, disk_, clock_);
  EXPECT_FALSE(off->Stats().available);
  ASSERT_TRUE(off->Stats().failure);
  EXPECT_NE(off->Stats().failure->error.message().find("cache"), std::string_view::npos);
  EXPECT_FALSE(off->Read(NumberedKey(1), {}, Lookup::kReader));
  EXPECT_FALSE(off->Reserve({.key = NumberedKey(1), .bytes = 10}));
  off->Close();
}

TEST_F(SegmentCacheRealDiskTest, AChunkThatBecameALinkOrAFolderIsAMiss) {
  ASSERT_TRUE(Put(1));
  const std::filesystem::path path = options_.directory / "chunks" / ChunkName::Of(NumberedKey(1)).ToString();
  std::filesystem::rename(path, root_.path() / "elsewhere");
  std::filesystem::create_symlink(root_.path() / "elsewhere", path);
  EXPECT_FALSE(Get(1));
  EXPECT_TRUE(std::filesystem::exists(root_.path() / "elsewhere"));
}

}  // namespace
}  // namespace millrace
