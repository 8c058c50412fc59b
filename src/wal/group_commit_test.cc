// Goal: the positions keep their order, a group is exactly what was staged and not written, and the durable end moves
// only over what was synced. Method: the positions alone, with a chain of files that have no bytes and a staging ring
// on a simulated disk.
#include "wal/group_commit.h"

#include <gtest/gtest.h>

#include <string>

#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::uint64_t kBlock = kWalBlockBytes;
constexpr std::uint64_t kRingBytes = 8 * kBlock;

constexpr WalPosition BlockAt(std::uint64_t block) { return WalPosition(static_cast<std::int64_t>(block * kBlock)); }

class GroupCommitTest : public testing::Test {
 protected:
  GroupCommitTest() {
    EXPECT_TRUE(file_system_.CreateDirectories("/d"));
    auto ring = StagingRing::Open(file_system_, "/d", kRingBytes);
    EXPECT_TRUE(ring);
    ring_ = *std::move(ring);
  }

  /// The next file of the chain, entered where the line ends.
  std::shared_ptr<WalFile> Enter(std::uint64_t capacity = 16 * kBlock) {
    auto disk = std::make_shared<WalDiskFile>();
    disk->slot = chain_.TakeSlot();
    disk->path = WalFileName(disk->slot);
    disk->capacity = capacity;
    chain_.Add(chain_.MakeNext({disk, chain_.TakeGeneration()}, {.base = commit_.end(), .at = commit_.end()}));
    return chain_.active();
  }
  WalExtent Stage(std::uint32_t payload_bytes, WalFrameKind kind = WalFrameKind::kPayload) {
    const WalFrameHeader header = {.kind = kind,
                                   .payload_bytes = payload_bytes,
                                   .position = commit_.end(),
                                   .previous = commit_.last_frame(),
                                   .synced_to = commit_.durable_end()};
    ring_->CopyIn(header.position, AsBytes(std::string(WalFrameBytes(payload_bytes), 'x')));
    commit_.OnStaged(header);
    return {header.position, commit_.end()};
  }
  GroupCommit::Group Close() {
    commit_.PadTo(BlockUp(commit_.end()));
    return commit_.Close(chain_, *ring_);
  }
  /// Everything staged is written and synced.
  void Commit() {
    GroupCommit::Group group = Close();
    group.sync = true;
    static_cast<void>(commit_.Finish(group));
    commit_.Announce(commit_.durable_end());
  }
  static std::uint64_t BytesOf(const GroupCommit::Piece& piece) {
    std::uint64_t sum = 0;
    for (const auto bytes : piece.bytes) sum += bytes.size();
    return sum;
  }

  SimFileSystem file_system_;
  std::unique_ptr<StagingRing> ring_;
  FileChain chain_{{.bytes_max = 1 << 30, .file_bytes_max = 16 * kBlock}};
  LineEnds ends_;
  GroupCommit commit_{ends_};
};

TEST_F(GroupCommitTest, ALogGoesOnWhereItIsToldWithEverythingBeforeSynced) {
  commit_.StartAt({.end = BlockAt(7), .last_frame = BlockAt(6), .proved = BlockAt(7)});
  for (const WalPosition position : {commit_.durable_end(), commit_.announced_end(), commit_.written_end(),
                                     commit_.closed_end(), commit_.end(), commit_.payload_end()}) {
    EXPECT_EQ(position, BlockAt(7));
  }
  EXPECT_EQ(commit_.last_frame(), BlockAt(6));
  EXPECT_FALSE(commit_.HasUnwritten());
  EXPECT_FALSE(commit_.HasUnsynced());
  EXPECT_FALSE(commit_.MarkNeeded());
}

TEST_F(GroupCommitTest, WhatIsReadWithoutTheMutexFollows) {
  Enter();
  const WalExtent frame = Stage(100);
  EXPECT_EQ(ends_.end(), frame.end);
  EXPECT_EQ(ends_.durable(), BlockAt(0));
  auto group = Close();
  group.sync = true;
  EXPECT_TRUE(commit_.Finish(group));
  EXPECT_EQ(ends_.durable(), BlockAt(1));
  EXPECT_EQ(ends_.announced(), BlockAt(0)) << "those who show it to readers come first";
  commit_.Announce(BlockAt(1));
  EXPECT_EQ(ends_.announced(), BlockAt(1));
}

TEST_F(GroupCommitTest, AFrameMovesTheEndAndAMarkIsNoPayload) {
  Enter();
  const WalExtent first = Stage(100), second = Stage(8), mark = Stage(0, WalFrameKind::kMark);
  EXPECT_EQ(first.end, WalPosition(static_cast<std::int64_t>(WalFrameBytes(100))));
  EXPECT_EQ(second.begin, first.end);
  EXPECT_EQ(commit_.last_frame(), mark.begin);
  EXPECT_EQ(commit_.payload_end(), second.end);
  EXPECT_EQ(commit_.unwritten_bytes(), static_cast<std::uint64_t>(mark.end.value()));
  EXPECT_EQ(commit_.closed_end(), BlockAt(0));
}

TEST_F(GroupCommitTest, AGroupIsWhatWasStagedSinceTheOneBefore) {
  const auto file = Enter();
  file->MarkBegun();
  Stage(100);
  const auto first = Close();
  EXPECT_EQ(first.begin, BlockAt(0));
  EXPECT_EQ(first.end, BlockAt(1));
  ASSERT_EQ(first.pieces.size(), 1);
  EXPECT_EQ(first.pieces[0].file, file);
  EXPECT_EQ(first.pieces[0].begin, BlockAt(0));
  EXPECT_EQ(BytesOf(first.pieces[0]), kBlock);
  EXPECT_EQ(commit_.closed_end(), BlockAt(1));
  EXPECT_EQ(commit_.written_end(), BlockAt(0));
  Stage(5000);
  EXPECT_EQ(commit_.closed_end(), BlockAt(1)) << "it joins the next group";
  EXPECT_FALSE(commit_.Finish(first)) << "written, not synced";
  const auto second = Close();
  EXPECT_EQ(second.begin, BlockAt(1));
  EXPECT_EQ(second.end, BlockAt(3));
  ASSERT_EQ(second.pieces.size(), 1);
  EXPECT_EQ(BytesOf(second.pieces[0]), 2 * kBlock);
}

TEST_F(GroupCommitTest, AGroupOverTheEndOfTheRingIsOnePieceOfTwoParts) {
  Enter()->MarkBegun();
  Stage(7 * kBlock - 1000);
  Commit();
  Stage(2 * kBlock - 1000);
  const auto group = Close();
  ASSERT_EQ(group.pieces.size(), 1);
  ASSERT_EQ(group.pieces[0].bytes.size(), 2);
  EXPECT_EQ(group.pieces[0].bytes[0].size(), kBlock);
  EXPECT_EQ(group.pieces[0].bytes[1].size(), kBlock);
}

TEST_F(GroupCommitTest, AGroupOverTwoFilesHasAPieceForEach) {
  const auto first = Enter();
  first->MarkBegun();
  Stage(100);
  commit_.PadTo(BlockAt(1));
  const auto second = Enter();
  Stage(100);
  const auto group = Close();
  ASSERT_EQ(group.pieces.size(), 2);
  EXPECT_EQ(group.pieces[0].file, first);
  EXPECT_EQ(BytesOf(group.pieces[0]), kBlock);
  EXPECT_EQ(group.pieces[1].file, second);
  EXPECT_EQ(group.pieces[1].begin, BlockAt(1));
  EXPECT_EQ(BytesOf(group.pieces[1]), kBlock);
}

TEST_F(GroupCommitTest, AFileThatIsDurableIsInNoGroupUnlessItHasNotBegun) {
  Enter()->MarkBegun();
  Stage(100);
  Commit();
  const auto second = Enter();
  const auto begins = Close();
  ASSERT_EQ(begins.pieces.size(), 1) << "its header has to be written, with nothing behind it";
  EXPECT_EQ(begins.pieces[0].file, second);
  EXPECT_EQ(BytesOf(begins.pieces[0]), 0);
  second->MarkBegun();
  EXPECT_TRUE(Close().pieces.empty());
}

TEST_F(GroupCommitTest, AFileWithBytesWrittenAndNotSyncedIsInTheNextGroupForItsSync) {
  const auto first = Enter();
  first->MarkBegun();
  Stage(100);
  EXPECT_FALSE(commit_.Finish(Close()));
  EXPECT_TRUE(commit_.HasUnsynced());
  EXPECT_FALSE(commit_.HasUnwritten());
  const auto group = Close();
  ASSERT_EQ(group.pieces.size(), 1);
  EXPECT_EQ(group.pieces[0].file, first);
  EXPECT_EQ(BytesOf(group.pieces[0]), 0);
}

TEST_F(GroupCommitTest, AGroupWithoutASyncMovesTheDurableEndAsFarAsARollSynced) {
  Enter()->MarkBegun();
  Stage(100);
  commit_.PadTo(BlockAt(1));
  Enter();
  Stage(100);
  auto group = Close();
  group.synced_to = BlockAt(1);
  EXPECT_TRUE(commit_.Finish(group));
  EXPECT_EQ(commit_.durable_end(), BlockAt(1));
  EXPECT_EQ(commit_.written_end(), BlockAt(2));
  group = Close();
  group.sync = true;
  EXPECT_TRUE(commit_.Finish(group));
  EXPECT_EQ(commit_.durable_end(), BlockAt(2));
  EXPECT_FALSE(commit_.Finish(group)) << "it never moves back or twice";
}

TEST_F(GroupCommitTest, AGroupThatMovesToAFreshFileTakesAlongWhatWasStagedMeanwhileAndIsSynced) {
  Enter()->MarkBegun();
  Stage(100);
  auto group = Close();
  Stage(100);
  commit_.PadTo(BlockAt(2));
  const auto fresh = Enter();
  commit_.MoveTo(fresh, *ring_, group);
  EXPECT_EQ(group.begin, BlockAt(0));
  EXPECT_EQ(group.end, BlockAt(2));
  EXPECT_EQ(commit_.closed_end(), BlockAt(2));
  ASSERT_EQ(group.pieces.size(), 1);
  EXPECT_EQ(group.pieces[0].file, fresh);
  EXPECT_EQ(group.pieces[0].begin, BlockAt(0));
  EXPECT_EQ(BytesOf(group.pieces[0]), 2 * kBlock);
  EXPECT_TRUE(commit_.Finish(group));
  EXPECT_EQ(commit_.durable_end(), BlockAt(2));
}

TEST_F(GroupCommitTest, AMarkIsNeededOnceSomethingIsSyncedThatNoFrameSaysIs) {
  Enter()->MarkBegun();
  EXPECT_FALSE(commit_.MarkNeeded());
  Stage(100);
  EXPECT_FALSE(commit_.MarkNeeded()) << "a mark could say nothing new";
  Commit();
  EXPECT_TRUE(commit_.MarkNeeded());
  Stage(0, WalFrameKind::kMark);
  EXPECT_FALSE(commit_.MarkNeeded());
  Commit();
  EXPECT_FALSE(commit_.MarkNeeded()) << "a mark needs no mark";
  Stage(100);
  Commit();
  EXPECT_TRUE(commit_.MarkNeeded());
  commit_.ForgoMark();
  EXPECT_FALSE(commit_.MarkNeeded());
}

TEST_F(GroupCommitTest, WhatRecoveryCouldNotProveNeedsAMark) {
  commit_.StartAt({.end = BlockAt(2), .last_frame = BlockAt(1), .proved = BlockAt(1)});
  EXPECT_TRUE(commit_.MarkNeeded());
}

TEST_F(GroupCommitTest, TheFirstPoisonStays) {
  EXPECT_EQ(commit_.poison(), nullptr);
  EXPECT_TRUE(commit_.Poison(Error(ErrorCode::kUnavailable, "first")));
  EXPECT_FALSE(commit_.Poison(Error(ErrorCode::kOutOfSpace, "second")));
  ASSERT_NE(commit_.poison(), nullptr);
  EXPECT_EQ(commit_.poison()->code(), ErrorCode::kUnavailable);
}

TEST_F(GroupCommitTest, ALeaderWaitsForJoinersFourFifthsOfWhatRecentSyncsTook) {
  EXPECT_EQ(commit_.JoinPatience(), nanoseconds(0));
  commit_.OnSyncTook(milliseconds(10));
  EXPECT_EQ(commit_.JoinPatience(), milliseconds(8));
  commit_.OnSyncTook(milliseconds(2));
  EXPECT_EQ(commit_.JoinPatience(), nanoseconds(7'200'000)) << "an eighth of the last one counts";
}

}  // namespace
}  // namespace millrace
