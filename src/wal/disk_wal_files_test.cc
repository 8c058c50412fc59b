// Goal: which files the log makes, fills, gives back and uses again: pool, budget, full disks, files made ahead.
// Method: a log with tiny files on the simulated disk, and on disks without direct I/O, reservation or mapping.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "wal/disk_wal.h"
#include "wal/disk_wal_fixture.h"
#include "wal/file_header.h"
#include "wal/wal_file.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

class DiskWalFilesTest : public OnDisksOfAllKinds {};

INSTANTIATE_TEST_SUITE_P(Disks, DiskWalFilesTest, testing::ValuesIn(kDisksOfAllKinds));

TEST_P(DiskWalFilesTest, RecycledFilesAreUsedAgainAndOldFramesNeverReturn) {
  auto wal = OpenWal(disk_, clock_);
  std::uint64_t n = 0;
  for (int round = 0; round < 40; ++round) {
    WalPosition end;
    for (int i = 0; i < 20; ++i) {
      const auto extent = AppendDurably(*wal.wal, Payload(n++, 3000));
      ASSERT_TRUE(extent) << extent.error().ToString();
      end = extent->end;
    }
    ASSERT_TRUE(wal->Recycle(end, round % 4 == 0 ? DiskWal::Seal::kSealActive : DiskWal::Seal::kKeepActive));
    if (round % 4 == 0) {
      EXPECT_EQ(wal->Stats().files, 1U);
      EXPECT_GE(wal->begin(), end);
    }
  }
  EXPECT_LE(wal->space().used, wal->space().max);
  EXPECT_LE(disk_.Files().size(), 2u + (2 << 20) / (64 << 10));
  const auto tail = Payload(n, 10);
  ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kSealActive));
  ASSERT_TRUE(AppendDurably(*wal.wal, tail));
  disk_.Crash();
  wal = OpenWal(disk_, clock_);
  EXPECT_EQ(wal.replay->payloads(), std::vector{tail});
  EXPECT_TRUE(wal->recovery().damage.empty());
}

TEST_P(DiskWalFilesTest, AFullBudgetStopsAppendsUntilFilesAreRecycled) {
  auto options = SmallWal();
  options.wal_bytes_max = 256 << 10;
  auto wal = OpenWal(disk_, clock_, options);
  WalPosition end;
  Result<WalExtent> extent = WalExtent{};
  for (std::uint64_t n = 0; n < 1000 && extent; ++n) {
    extent = AppendDurably(*wal.wal, Payload(n, 3000));
    if (extent) end = extent->end;
  }
  ASSERT_FALSE(extent);
  EXPECT_EQ(extent.error().code(), ErrorCode::kOutOfSpace);
  ASSERT_TRUE(wal->Recycle(end, DiskWal::Seal::kKeepActive));
  EXPECT_TRUE(AppendDurably(*wal.wal, Payload(1, 3000)));
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AFullDiskStopsAppendsUntilThereIsSpace) {
  auto wal = OpenWal(disk_, clock_);
  disk_.SetCapacity(200 << 10);
  std::vector<std::string> written;
  Result<WalExtent> extent = WalExtent{};
  for (std::uint64_t n = 0; n < 1000 && extent; ++n) {
    extent = AppendDurably(*wal.wal, Payload(n, 3000));
    if (extent) written.push_back(Payload(n, 3000));
  }
  ASSERT_FALSE(extent);
  EXPECT_EQ(extent.error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(ReadAll(*wal.wal), written);
  disk_.SetCapacity(std::nullopt);
  written.push_back(Payload(5000, 3000));
  EXPECT_TRUE(AppendDurably(*wal.wal, written.back()));
  disk_.Crash();
  wal = OpenWal(disk_, clock_);
  EXPECT_EQ(wal.replay->payloads(), written);
}

TEST_P(DiskWalFilesTest, AFailedFileAheadIsDueOnlyWhileOneIsLacking) {
  auto options = SmallWal();
  options.file_bytes = 16 << 10;
  auto wal = OpenWal(disk_, clock_, options);
  for (std::uint64_t n = 0; n < 8; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 5000)));  // several files
  disk_.SetCapacity(0);
  auto step = wal->PrepareFilesOnce();
  for (int i = 0; i < 4 && step; ++i) step = wal->PrepareFilesOnce();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(*wal->PrepareFilesOnce(), false) << "a pause has begun";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(wal->PrepareFilesOnce()) << "the pause is over";
  ASSERT_TRUE(wal->Recycle(wal->durable_end(), DiskWal::Seal::kKeepActive));  // files enough, and none was made
  clock_.Advance(std::chrono::seconds(1));
  // A thread that sleeps until something is due must find it to do then.
  for (int turns = 0; const auto due = wal->NextDue(); ++turns) {
    ASSERT_LT(turns, 20) << "something is due and nothing does it";
    if (*due > clock_.Monotonic()) clock_.Advance(*due - clock_.Monotonic());
    ASSERT_TRUE(wal->CommitOnce());
    ASSERT_TRUE(wal->SyncDueOnce());
    ASSERT_TRUE(wal->PrepareFilesOnce());
  }
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AFileAheadIsMadeOnceAQuarterOfTheActiveOneIsUsed) {
  const std::uint64_t quarter = ((64 << 10) - kWalFileHeaderBytes) / 4;
  for (const std::uint64_t used : {quarter - kWalFrameAlignment, quarter}) {
    SimFileSystem disk(1, GetParam());
    auto wal = OpenWal(disk, clock_);
    while (*wal->PrepareFilesOnce()) {  // the ring's pages
    }
    ASSERT_EQ(wal->Stats().pool_files, 0U);
    const auto extent = Append(*wal.wal, Payload(0, used - kWalFrameHeaderBytes));
    ASSERT_TRUE(extent);
    ASSERT_EQ(static_cast<std::uint64_t>(extent->end.value()), used);
    EXPECT_EQ(*wal->PrepareFilesOnce(), used == quarter);
    EXPECT_EQ(wal->Stats().pool_files, used == quarter ? 1U : 0U);
    ASSERT_TRUE(wal->Close());
  }
}

TEST_P(DiskWalFilesTest, FilesAheadAreTwoOnceTheLogGrowsAndNeverMoreThanTheBudget) {
  for (const std::uint64_t budget : {4 * (64 << 10) - 1, 4 * (64 << 10), 9 * (64 << 10)}) {
    SimFileSystem disk(1, GetParam());
    auto options = SmallWal();
    options.wal_bytes_max = budget;
    auto wal = OpenWal(disk, clock_, options);
    for (std::uint64_t n = 0; wal->Stats().files < 3; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 16'000)));
    ASSERT_TRUE(AppendDurably(*wal.wal, Payload(0, 16'000)));
    while (*wal->PrepareFilesOnce()) {
    }
    const std::uint64_t left = budget / (64 << 10) - wal->Stats().files;
    EXPECT_EQ(wal->Stats().pool_files, std::min<std::uint64_t>(left, 2));
    // What is recycled is kept as far as the budget goes.
    ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kKeepActive));
    EXPECT_EQ(wal->Stats().files, 1U);
    EXPECT_EQ(wal->Stats().pool_files, std::min<std::uint64_t>(left, 2) + 2);
    ASSERT_TRUE(wal->Close());
  }
}

TEST_P(DiskWalFilesTest, ARecycledFileIsKeptIfTheBudgetHoldsItAndRemovedIfNot) {
  for (const std::uint64_t budget : {2 * (64 << 10) - 1, 2 * (64 << 10)}) {
    SimFileSystem disk(1, GetParam());
    auto options = SmallWal();
    options.wal_bytes_max = budget;
    auto wal = OpenWal(disk, clock_, options);
    for (std::uint64_t n = 0; wal->Stats().files < 2; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 16'000)));
    ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kKeepActive));
    EXPECT_EQ(wal->Stats().files, 1U);
    EXPECT_EQ(wal->Stats().pool_files, budget == 2 * (64 << 10) ? 1U : 0U);
    ASSERT_TRUE(wal->Close());
  }
}

TEST_P(DiskWalFilesTest, EachFileIsLargerThanTheOneBeforeUpToItsLimit) {
  auto options = SmallWal();
  options.wal_bytes_max = 64 << 20;
  options.file_bytes = 2 << 20;
  const auto bytes_of = [&](std::uint64_t slot) {
    return disk_.Contents(std::filesystem::path(kWalDirectory) / WalFileName(slot)).size();
  };
  auto wal = OpenWal(disk_, clock_, options);
  for (std::uint64_t n = 0; n < 3; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 100'000)));
  while (*wal->PrepareFilesOnce()) {
  }
  ASSERT_EQ(wal->Stats().pool_files, 1U);
  EXPECT_EQ(bytes_of(1), (1U << 20) + kWalFileHeaderBytes);
  EXPECT_EQ(bytes_of(2), 2U << 20);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AFrameThatFillsAFileOfItsOwnFindsItsPlace) {
  auto wal = OpenWal(disk_, clock_);
  const std::vector<std::string> written = {"first", Payload(0, (128 << 10) - kWalFrameHeaderBytes), "last"};
  for (const std::string& payload : written) ASSERT_TRUE(AppendDurably(*wal.wal, payload));
  EXPECT_EQ(ReadAll(*wal.wal), written);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AFileOfThePoolThatCannotBeWrittenIsRemovedAndAnotherOneMade) {
  {
    auto wal = OpenWal(disk_, clock_);
    ASSERT_TRUE(AppendDurably(*wal.wal, Payload(0, 16'000)));
    while (*wal->PrepareFilesOnce()) {
    }
    ASSERT_EQ(wal->Stats().pool_files, 1U);
    ASSERT_TRUE(wal->Close());
  }
  auto wal = OpenWal(disk_, clock_);
  ASSERT_EQ(wal->Stats().pool_files, 1U);
  const auto second = std::filesystem::path(kWalDirectory) / WalFileName(2);
  disk_.SetFaultPlan([&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) {
    return operation == SimOperation::kSync && path == second ? std::optional(SimFault{}) : std::nullopt;
  });
  auto step = wal->PrepareFilesOnce();
  while (step && *step) step = wal->PrepareFilesOnce();
  ASSERT_FALSE(step);
  disk_.SetFaultPlan(nullptr);
  EXPECT_EQ(wal->Stats().pool_files, 0U);
  const auto files = disk_.Files();
  EXPECT_EQ(std::ranges::find(files, second), files.end());
  clock_.Advance(std::chrono::seconds(1));
  while (*wal->PrepareFilesOnce()) {
  }
  EXPECT_EQ(wal->Stats().pool_files, 1U);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AnEmptyActiveFileIsNotSealedAndAFullDiskLeavesOneInUse) {
  auto wal = OpenWal(disk_, clock_);
  ASSERT_TRUE(AppendDurably(*wal.wal, "x"));
  ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kSealActive));
  const auto calls = disk_.calls();
  ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kSealActive));
  EXPECT_EQ(disk_.calls(), calls) << "there was nothing to leave";
  ASSERT_TRUE(wal->Close());

  SimFileSystem full(1, GetParam());
  wal = OpenWal(full, clock_);
  ASSERT_TRUE(AppendDurably(*wal.wal, "x"));
  full.SetCapacity(0);
  EXPECT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kSealActive));
  EXPECT_EQ(ReadAll(*wal.wal), std::vector<std::string>{"x"});
  full.SetCapacity(std::nullopt);
  ASSERT_TRUE(AppendDurably(*wal.wal, "y"));
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalFilesTest, AFileThatWasMadeEndsThePauseAfterOneThatWasNot) {
  auto options = SmallWal();
  options.file_bytes = 16 << 10;
  auto wal = OpenWal(disk_, clock_, options);
  for (std::uint64_t n = 0; n < 8; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 5000)));  // several files
  while (*wal->PrepareFilesOnce()) {
  }
  disk_.SetCapacity(0);
  const auto files = wal->Stats().files;
  std::uint64_t n = 8;
  auto step = wal->PrepareFilesOnce();
  for (; step && n < 20; ++n) {  // each roll takes one of those made ahead
    ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 5000)));
    step = wal->PrepareFilesOnce();
  }
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(*wal->PrepareFilesOnce(), false) << "a pause has begun";
  disk_.SetCapacity(std::nullopt);
  // An appender that needs a file waits for no pause.
  while (wal->Stats().pool_files > 0) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n++, 5000)));
  const auto rolled = wal->Stats().files;
  EXPECT_GT(rolled, files);
  while (wal->Stats().files == rolled) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n++, 5000)));
  ASSERT_EQ(wal->Stats().pool_files, 0U);
  EXPECT_EQ(*wal->PrepareFilesOnce(), true) << "nor does the next one ahead";
  EXPECT_EQ(wal->Stats().pool_files, 1U);
  ASSERT_TRUE(wal->Close());
}

}  // namespace
}  // namespace millrace
