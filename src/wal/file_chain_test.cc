// Goal: which file holds a position, which is made, used, replaced and freed next, and what the budget allows, follow
// from what the chain was told. Method: the bookkeeping alone, over files that have a name and a size and no bytes.
#include "wal/file_chain.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace {
namespace {

constexpr std::uint64_t kBlock = kWalBlockBytes;
constexpr std::uint64_t kCapacity = 16 * kBlock;
constexpr std::uint64_t kFileBytes = kCapacity + kWalFileHeaderBytes;

constexpr WalPosition BlockAt(std::uint64_t block) { return WalPosition(static_cast<std::int64_t>(block * kBlock)); }

std::shared_ptr<WalDiskFile> Disk(std::uint64_t slot, std::uint64_t capacity = kCapacity) {
  auto disk = std::make_shared<WalDiskFile>();
  disk->path = WalFileName(slot);
  disk->slot = slot;
  disk->capacity = capacity;
  return disk;
}

/// Takes nothing.
class RefusingFile final : public File {
 public:
  Result<std::size_t> ReadAt(std::uint64_t, std::span<std::byte>) override { return Refused(); }
  Result<void> WriteAt(std::uint64_t, std::span<const std::byte>) override { return Refused(); }
  Result<void> Sync() override { return Refused(); }
  Result<void> Allocate(std::uint64_t) override { return Refused(); }
  Result<void> Truncate(std::uint64_t) override { return Refused(); }
  Result<std::uint64_t> Size() override { return Refused(); }
  Result<std::unique_ptr<MappedRegion>> Map(std::size_t) override { return Refused(); }

 private:
  static Error Refused() { return {ErrorCode::kUnavailable, "planned"}; }
};

class FileChainTest : public testing::Test {
 protected:
  /// A file of the pool, made a moment ago.
  void Build(std::uint64_t capacity = kCapacity) {
    chain_.AddBuilt({Disk(chain_.TakeSlot(), capacity), chain_.TakeGeneration()});
  }
  /// The chain's next file; the line enters it at `block`, and the payloads of the one before end there.
  std::shared_ptr<WalFile> Enter(std::uint64_t block, std::uint64_t capacity = kCapacity) {
    Build(capacity);
    const auto ready = chain_.TakeReady(0);
    const FileChain::Entry entry{.base = BlockAt(block), .at = BlockAt(block)};
    if (chain_.files().empty()) {
      chain_.Add(chain_.MakeNext(*ready, entry));
    } else {
      chain_.Roll(*ready, BlockAt(block), entry);
    }
    return chain_.active();
  }

  FileChain chain_{{.bytes_max = 8 * kFileBytes, .file_bytes_max = kCapacity}};
};

TEST_F(FileChainTest, AFileHoldsTheLineFromWhereItIsEnteredToWhereTheNextOneIs) {
  const auto first = Enter(0), second = Enter(10), third = Enter(20);
  EXPECT_EQ(chain_.begin(), BlockAt(0));
  EXPECT_EQ(chain_.active(), third);
  EXPECT_EQ(chain_.HolderOf(BlockAt(10) - 1).file, first);
  EXPECT_EQ(chain_.HolderOf(BlockAt(10) - 1).end, BlockAt(10));
  EXPECT_EQ(chain_.HolderOf(BlockAt(10)).file, second);
  EXPECT_EQ(chain_.HolderOf(BlockAt(20)).file, third);
  EXPECT_EQ(chain_.HolderOf(BlockAt(20)).end.value(), std::numeric_limits<std::int64_t>::max());
}

TEST_F(FileChainTest, AFileEnteredBehindItsBaseBeginsTheLineThere) {
  Build();
  chain_.Add(chain_.MakeNext(*chain_.TakeReady(0), {.base = BlockAt(3), .at = BlockAt(3) + 100}));
  EXPECT_EQ(chain_.begin(), BlockAt(3) + 100);
  EXPECT_EQ(chain_.active()->base(), BlockAt(3));
}

TEST_F(FileChainTest, AnExtentOverTwoFilesHasNoSoleHolder) {
  const auto first = Enter(0), second = Enter(10);
  EXPECT_EQ(chain_.SoleHolderOf({BlockAt(0), BlockAt(10)}), first);
  EXPECT_EQ(chain_.SoleHolderOf({BlockAt(10), BlockAt(12)}), second);
  EXPECT_EQ(chain_.SoleHolderOf({BlockAt(9), BlockAt(11)}), nullptr);
}

TEST_F(FileChainTest, AFileIsFoundByItsNameAndHeldAsLongAsItIsInTheChain) {
  const auto first = Enter(0), second = Enter(10);
  EXPECT_EQ(chain_.Named(WalFileName(2)), second);
  EXPECT_EQ(chain_.Named("closed"), nullptr);
  EXPECT_TRUE(chain_.Holds(first));
  second->MarkBegun();
  EXPECT_EQ(chain_.NextToFree(BlockAt(10), BlockAt(10)), first);
  EXPECT_FALSE(chain_.Holds(first));
  EXPECT_EQ(chain_.Named(first->name()), nullptr);
}

TEST_F(FileChainTest, ARollEndsThePayloadsOfTheOldFileAndNamesItInTheNewOnesHeader) {
  const auto first = Enter(0);
  Build();
  chain_.Roll(*chain_.TakeReady(0), BlockAt(4) + 8, {.base = BlockAt(5), .at = BlockAt(5), .last_frame = BlockAt(4)});
  EXPECT_EQ(first->payload_end, BlockAt(4) + 8);
  EXPECT_EQ(chain_.active()->header(), (WalFileHeader{.state = WalFileState::kLive,
                                                      .generation = 2,
                                                      .base = BlockAt(5),
                                                      .capacity = kCapacity,
                                                      .predecessor_generation = 1,
                                                      .predecessor_end = BlockAt(5),
                                                      .last_frame = BlockAt(4)}));
}

TEST_F(FileChainTest, ARollLacksAFileThatFitsOrTheBudgetForIt) {
  Enter(0);
  EXPECT_EQ(chain_.LackOfRoll(kCapacity), FileChain::Lack::kFile);
  Build();
  EXPECT_EQ(chain_.LackOfRoll(kCapacity), FileChain::Lack::kNothing);
  EXPECT_EQ(chain_.LackOfRoll(kCapacity + 1), FileChain::Lack::kFile);
  for (std::uint64_t i = 1; i < 8; ++i) Enter(i);
  EXPECT_EQ(chain_.HeldBytes(), 8 * kFileBytes);
  EXPECT_EQ(chain_.LackOfRoll(kCapacity), FileChain::Lack::kBudget);
}

TEST_F(FileChainTest, BesideTheActiveFileOneMoreIsAlwaysAllowed) {
  EXPECT_TRUE(chain_.BudgetAllows(100 * kFileBytes));
  Enter(0);
  EXPECT_TRUE(chain_.BudgetAllows(100 * kFileBytes));
  Enter(1);
  EXPECT_TRUE(chain_.BudgetAllows(6 * kFileBytes));
  EXPECT_FALSE(chain_.BudgetAllows(6 * kFileBytes + 1));
}

TEST_F(FileChainTest, GenerationsAreUsedInOrderSoASmallerFileBeforeTheOneThatFitsNeedsANewOne) {
  Build(4 * kBlock);
  Build(8 * kBlock);
  Build(2 * kBlock);
  EXPECT_TRUE(chain_.HasReady(8 * kBlock));
  const auto taken = chain_.TakeReady(8 * kBlock);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->generation, 2);
  EXPECT_EQ(chain_.pool_files(), 2);
  EXPECT_FALSE(chain_.TakeRework(5 * kBlock));
  const auto rework = chain_.TakeRework(4 * kBlock);
  ASSERT_TRUE(rework);
  EXPECT_EQ(rework->disk->slot, 1);
  EXPECT_EQ(rework->generation, 4);
  EXPECT_EQ(chain_.pool_files(), 1);
  EXPECT_FALSE(chain_.TakeReady(3 * kBlock));
  EXPECT_EQ(chain_.pool_files(), 1) << "it waits for a generation now";
}

TEST_F(FileChainTest, GenerationsAndSlotsGoOnWhereRecoveryLeftThem) {
  chain_.ContinueAt(7, 3);
  EXPECT_EQ(chain_.TakeGeneration(), 7);
  EXPECT_EQ(chain_.TakeGeneration(), 8);
  EXPECT_EQ(chain_.TakeSlot(), 3);
  EXPECT_EQ(chain_.TakeSlot(), 4);
}

TEST(FileChainGrowthTest, TheFirstFileIsSmallAndEachNextOneFourTimesLargerUpToTheLimit) {
  FileChain chain({.bytes_max = 1 << 30, .file_bytes_max = 64 << 20});
  EXPECT_EQ(chain.NextCapacity(0), 1 << 20);
  chain.AddBuilt({Disk(1, 1 << 20), 1});
  EXPECT_EQ(chain.NextCapacity(0), 4 << 20);
  EXPECT_EQ(chain.NextCapacity((5 << 20) + 1), (5 << 20) + kBlock) << "whole blocks, and what a large frame asks for";
  chain.AddBuilt({Disk(2, 32 << 20), 2});
  EXPECT_EQ(chain.NextCapacity(0), 64 << 20);
  chain.AddFreed({Disk(1, 1 << 20), 3});
  EXPECT_EQ(chain.NextCapacity(0), 64 << 20) << "it never gets smaller again";
}

TEST(FileChainGrowthTest, ARecoveredFileCountsAsMade) {
  FileChain chain({.bytes_max = 1 << 30, .file_bytes_max = 64 << 20});
  chain.AddRecovered(std::make_shared<WalFile>(Disk(1, 2 << 20), WalFileHeader{.capacity = 2 << 20}));
  EXPECT_EQ(chain.NextCapacity(0), 8 << 20);
}

TEST_F(FileChainTest, AFileIsMadeAheadOnceAQuarterOfTheActiveOneIsUsedAndTwoAfterTwoRolls) {
  Enter(0);
  EXPECT_FALSE(chain_.LacksFile(BlockAt(4) - 1));
  EXPECT_TRUE(chain_.LacksFile(BlockAt(4)));
  Build();
  EXPECT_FALSE(chain_.LacksFile(BlockAt(16)));
  chain_.Roll(*chain_.TakeReady(0), BlockAt(16), {.base = BlockAt(16), .at = BlockAt(16)});
  Enter(32);
  Build();
  EXPECT_TRUE(chain_.LacksFile(BlockAt(36)));
  Build();
  EXPECT_FALSE(chain_.LacksFile(BlockAt(48)));
}

TEST_F(FileChainTest, NoFileIsMadeAheadOverTheBudgetButOneOfThePoolMayBeReworked) {
  for (std::uint64_t i = 0; i < 6; ++i) Enter(16 * i);
  EXPECT_TRUE(chain_.LacksFile(BlockAt(6 * 16)));
  Build();
  EXPECT_TRUE(chain_.LacksFile(BlockAt(6 * 16)));
  EXPECT_TRUE(chain_.PoolTakes(*Disk(100)));
  chain_.AddRework(Disk(100));
  EXPECT_TRUE(chain_.LacksFile(BlockAt(6 * 16))) << "its bytes are counted already";
  EXPECT_FALSE(chain_.PoolTakes(*Disk(101)));
  EXPECT_TRUE(chain_.TakeReady(0));
  Enter(6 * 16);
  EXPECT_EQ(chain_.HeldBytes(), 7 * kFileBytes);
}

TEST_F(FileChainTest, TheOldestFileIsFreedWhenItsPayloadsAreOldAndTheNextOneStandsAlone) {
  const auto first = Enter(0);
  EXPECT_EQ(chain_.NextToFree(BlockAt(16), BlockAt(16)), nullptr) << "the active file stays";
  const auto second = Enter(10);
  EXPECT_EQ(chain_.NextToFree(BlockAt(10), BlockAt(10)), nullptr) << "the next header is not on the disk";
  second->MarkBegun();
  EXPECT_EQ(chain_.NextToFree(BlockAt(10) - 1, BlockAt(10)), nullptr) << "a payload is still needed";
  EXPECT_EQ(chain_.NextToFree(BlockAt(10), BlockAt(10) - 1), nullptr) << "the line before the next is not durable";
  EXPECT_EQ(chain_.NextToFree(BlockAt(10), BlockAt(10)), first);
  EXPECT_EQ(chain_.begin(), BlockAt(10));
  chain_.OnFreed();
  EXPECT_EQ(chain_.NextToFree(BlockAt(16), BlockAt(16)), nullptr);
}

TEST_F(FileChainTest, WhatCouldNotBeFreedComesFirstAndNoOtherFileLeavesTheChainBefore) {
  const auto first = Enter(0), second = Enter(10), third = Enter(20);
  second->MarkBegun();
  third->MarkBegun();
  EXPECT_EQ(chain_.NextToFree(BlockAt(20), BlockAt(20)), first);
  EXPECT_EQ(chain_.NextToFree(BlockAt(20), BlockAt(20)), first);
  EXPECT_EQ(chain_.begin(), BlockAt(10));
  chain_.OnFreed();
  const auto failed = chain_.MakeNext({Disk(50), chain_.TakeGeneration()}, {.base = BlockAt(30), .at = BlockAt(30)});
  chain_.AddUnfreed(failed);
  EXPECT_EQ(chain_.NextToFree(BlockAt(20), BlockAt(20)), failed);
  EXPECT_EQ(chain_.begin(), BlockAt(10));
  chain_.OnFreed();
  EXPECT_EQ(chain_.NextToFree(BlockAt(20), BlockAt(20)), second);
}

TEST_F(FileChainTest, AFreshFileReplacesAllFromItsBaseOnAndFollowsTheLastThatStays) {
  const auto first = Enter(0), second = Enter(10), third = Enter(20);
  second->MarkBegun();
  Build();
  const auto dropped = chain_.Replace(*chain_.TakeReady(0), {.base = BlockAt(7), .at = BlockAt(7)});
  EXPECT_EQ(dropped, (std::vector{third, second}));
  EXPECT_EQ(chain_.files().size(), 2);
  EXPECT_EQ(chain_.active()->generation(), 4);
  EXPECT_EQ(chain_.active()->header().predecessor_generation, first->generation());
  EXPECT_EQ(first->payload_end, BlockAt(7));
  const auto rework = chain_.TakeRework(0);
  ASSERT_TRUE(rework) << "the disk never saw it, so it is used again";
  EXPECT_EQ(rework->disk, third->disk());
  EXPECT_FALSE(chain_.TakeRework(0)) << "the one that was begun may hold a live header";
}

TEST_F(FileChainTest, AFreshFileInPlaceOfTheOldestFollowsWhatThatOneFollowed) {
  chain_.AddRecovered(std::make_shared<WalFile>(
      Disk(9),
      WalFileHeader{.generation = 5, .base = BlockAt(3), .predecessor_generation = 4, .predecessor_end = BlockAt(3)}));
  chain_.ContinueAt(6, 10);
  Build();
  chain_.Replace(*chain_.TakeReady(0), {.base = BlockAt(3), .at = BlockAt(3)});
  EXPECT_EQ(chain_.files().size(), 1);
  EXPECT_EQ(chain_.active()->header().predecessor_generation, 4);
}

TEST_F(FileChainTest, ACleanCloseNamesEveryFileIfAllAreOnTheDiskAndNoneIsOnItsWayOut) {
  const FileChain::LineEnd line{.last_frame = BlockAt(10), .end = BlockAt(11)};
  EXPECT_FALSE(chain_.CleanFiles(line));
  const auto first = Enter(0), second = Enter(10);
  first->MarkBegun();
  EXPECT_FALSE(chain_.CleanFiles(line)) << "the second was not begun";
  second->MarkBegun();
  const auto clean = chain_.CleanFiles(line);
  ASSERT_TRUE(clean);
  EXPECT_EQ(*clean, (std::vector<WalCleanClose::File>{{1, BlockAt(0), BlockAt(10)}, {2, BlockAt(10), WalPosition(0)}}));
  EXPECT_FALSE(chain_.CleanFiles({.last_frame = BlockAt(9), .end = BlockAt(11)})) << "its header names no such frame";
  const WalPosition before = second->header().last_frame;
  EXPECT_TRUE(chain_.CleanFiles({.last_frame = before, .end = BlockAt(10)})) << "the newest file has no frame";
  EXPECT_FALSE(chain_.CleanFiles({.last_frame = before, .end = BlockAt(11)})) << "there is one behind its header";
  chain_.AddUnfreed(first);
  EXPECT_FALSE(chain_.CleanFiles(line));
}

TEST_F(FileChainTest, AFileThatFailedIsInNoCleanCloseAndIsNotUsedAgain) {
  auto disk = Disk(chain_.TakeSlot());
  disk->writer = std::make_unique<RefusingFile>();
  const auto file = chain_.MakeNext({disk, chain_.TakeGeneration()}, {.base = BlockAt(0), .at = BlockAt(0)});
  chain_.Add(file);
  EXPECT_FALSE(file->BeginWriting());
  EXPECT_TRUE(file->failed());
  EXPECT_FALSE(chain_.CleanFiles({.last_frame = BlockAt(0), .end = BlockAt(1)}));
  Build();
  EXPECT_EQ(chain_.Replace(*chain_.TakeReady(0), {.base = BlockAt(0), .at = BlockAt(0)}), std::vector{file});
  EXPECT_FALSE(chain_.TakeRework(0));
}

}  // namespace
}  // namespace millrace
