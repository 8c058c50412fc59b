// Goal: a partition comes back from the WAL and the metadata row with the right offsets, whatever is missing; what was
// lost is named and no offset is given twice. Method: every row of the table in partition_log_recovery.cc, over a fake
// WAL. Proves W14, S17 (hot part), S23, S26, B5, B42, B70, B71 for one partition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log/log_fixture.h"
#include "log/partition_snapshot.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr PartitionKey kKey{TopicId(1), PartitionId(0)};

PartitionRow Row(std::int64_t log_start, std::int64_t tiered_end) {
  return {.key = kKey, .epoch = LeaderEpoch(3), .log_start = Offset(log_start), .tiered_end = Offset(tiered_end)};
}

std::vector<std::int64_t> Bounds(const PartitionLog& log) {
  const PartitionOffsets o = log.offsets();
  return {o.log_start.value(), o.hot_start.value(), o.tiered_end.value(), o.durable_end.value(), o.log_end.value()};
}

class PartitionLogRecoveryTest : public testing::Test {
 protected:
  PartitionLogRecoveryTest() {
    for (int i = 0; i < 10; ++i) {
      appended.push_back(f.Append(10, 20, 1000 + i));  // offsets 0-9, 10-19, ... 90-99
      f.wal.AppendForeign(50);
    }
  }
  WalPosition FrameBegin(int batch) const {
    return f.wal.Frames(f.wal.end())[static_cast<std::size_t>(batch) * 2].extent.begin;
  }
  std::int64_t NextBase(PartitionLog& log) {
    Buffer batch = TestBatch(1);
    return log.TryAppend(batch)->base.value();
  }
  LogFixture f{SyncPolicy::None()};
  std::vector<AppendedBatch> appended;
};

TEST_F(PartitionLogRecoveryTest, EverythingComesBackAndOffsetsGoOn) {
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 0, 0, 100, 100));
  const HotBatches read = log->ReadHot(Offset(0), Offset(100), UINT64_MAX).value();
  EXPECT_EQ(read.batches.size(), 10u);
  EXPECT_EQ(read.next, Offset(100));
  EXPECT_EQ(log->pending().oldest_ms, 1000);
  EXPECT_EQ(log->epoch(), LeaderEpoch(3));
  EXPECT_EQ(log->recovered_epoch(), LeaderEpoch(0)) << "of the batches that came back";
  EXPECT_EQ(NextBase(*log), 100);
  EXPECT_EQ(f.Reopen(Row(0, 0), f.wal.end())->recovered_epoch(), LeaderEpoch(3));
}

TEST_F(PartitionLogRecoveryTest, WhatIsAppendedAfterARecoveryHasItsOwnAgeAndPinsNothingOfBefore) {
  auto log = f.Reopen(Row(0, 100), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_EQ(log->OldestNeeded(), std::nullopt);
  f.clock.Advance(std::chrono::hours(1));
  const WalPosition begin = f.wal.end();
  EXPECT_EQ(NextBase(*log), 100);
  EXPECT_EQ(log->OldestNeeded(), begin);
  EXPECT_EQ(log->pending().oldest_ms, f.clock.WallMs());
}

TEST_F(PartitionLogRecoveryTest, ARecordOfTomorrowWasNotAppendedLaterThanNow) {
  LogFixture own(SyncPolicy::None());
  own.Append(1, 20, own.clock.WallMs() + 86'400'000);
  auto log = own.Reopen(Row(0, 0), own.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_EQ(log->pending().oldest_ms, own.clock.WallMs());
}

TEST_F(PartitionLogRecoveryTest, HotAndColdOverlap) {
  auto log = f.Reopen(Row(5, 55), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(5, 0, 55, 100, 100));
  EXPECT_EQ(NextBase(*log), 100);
}

TEST_F(PartitionLogRecoveryTest, WalThatEndsBelowTieredEndStartsThere) {
  auto log = f.Reopen(Row(0, 500), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 500, 500, 500, 500));
  EXPECT_EQ(log->OldestNeeded(), std::nullopt);
  EXPECT_EQ(log->hot_bytes(), 0U);
  EXPECT_EQ(log->TakeSnapshot()->begin, Offset(500));
  EXPECT_EQ(NextBase(*log), 500);
  EXPECT_EQ(log->TakeSnapshot()->begin, Offset(500));

  auto empty = f.Reopen(Row(7, 7), WalPosition(0));
  ASSERT_TRUE(empty->FinishRecovery());
  EXPECT_THAT(Bounds(*empty), ElementsAre(7, 7, 7, 7, 7));
}

TEST_F(PartitionLogRecoveryTest, TornTailIsSimplyShorter) {
  auto log = f.Reopen(Row(0, 0), FrameBegin(7));
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 0, 0, 70, 70));
}

TEST_F(PartitionLogRecoveryTest, DamageInTheMiddleIsNamedAndLaterFramesStay) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 0, 0, 100, 100));
  EXPECT_EQ(log->ReadHot(Offset(0), Offset(100), UINT64_MAX)->next, Offset(40));
  for (int from : {40, 45, 49}) {
    const Error error = log->ReadHot(Offset(from), Offset(100), UINT64_MAX).error();
    EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    EXPECT_EQ(*error.damage(), (DamagedRange{{"orders", PartitionId(0)},
                                             Offset(from),
                                             Offset(50),
                                             "wal/1",
                                             static_cast<std::uint64_t>(FrameBegin(4).value()),
                                             static_cast<std::uint64_t>(FrameBegin(4).value()) + 10}));
  }
  EXPECT_EQ(log->ReadHot(Offset(50), Offset(100), UINT64_MAX)->next, Offset(100));
}

TEST_F(PartitionLogRecoveryTest, AHoleNamesTheFirstFileAndAllThatIsDamagedInIt) {
  const auto frames = f.wal.Frames(f.wal.end());
  auto log = f.Open(WalStream(7), Row(0, 0));
  for (const auto& [file, end] : {std::pair("wal/1", 200U), {"wal/1", 300U}, {"wal/1", 250U}, {"wal/2", 9000U}})
    log->RecoverDamage({.extent = frames[0].extent, .file = file, .byte_begin = 100, .byte_end = end, .reason = ""});
  ASSERT_TRUE(log->RecoverFrame(frames[2].extent, frames[2].payload.bytes()));
  ASSERT_TRUE(log->FinishRecovery());
  ASSERT_EQ(log->damage_found().size(), 1U);
  EXPECT_EQ(log->damage_found()[0].place, "wal/1");
  EXPECT_EQ(log->damage_found()[0].byte_begin, 100U);
  EXPECT_EQ(log->damage_found()[0].byte_end, 300U);
}

TEST_F(PartitionLogRecoveryTest, DamageCoveredBySegmentsIsNoLoss) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 60), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 50, 60, 100, 100));  // hot begins behind the damage
  EXPECT_EQ(log->ReadHot(Offset(50), Offset(100), UINT64_MAX)->next, Offset(100));
  EXPECT_EQ(log->ReadHot(Offset(40), Offset(100), UINT64_MAX).error().code(), ErrorCode::kOutOfRange);
}

TEST_F(PartitionLogRecoveryTest, DamageHalfCoveredBySegmentsIsLostAboveThem) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 45), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 45, 45, 100, 100));
  EXPECT_EQ(log->ReadHot(Offset(45), Offset(100), UINT64_MAX).error().damage()->end, Offset(50));
  EXPECT_EQ(log->ReadHot(Offset(50), Offset(100), UINT64_MAX)->next, Offset(100));
}

TEST_F(PartitionLogRecoveryTest, DamageThatBeginsWhereSegmentsEndIsLostAndThePartitionSnapshotBeginsThere) {
  f.wal.Damage(FrameBegin(4));
  for (const bool recycled : {false, true}) {  // the frames before it, which are in segments
    if (recycled) f.wal.Recycle(FrameBegin(4));
    auto log = f.Reopen(Row(0, 40), f.wal.end());
    ASSERT_TRUE(log->FinishRecovery());
    EXPECT_THAT(Bounds(*log), ElementsAre(0, 40, 40, 100, 100));
    EXPECT_EQ(log->ReadHot(Offset(39), Offset(100), UINT64_MAX).error().code(), ErrorCode::kOutOfRange);
    EXPECT_EQ(log->ReadHot(Offset(40), Offset(100), UINT64_MAX).error().damage()->end, Offset(50));
    EXPECT_EQ(log->ReadHot(Offset(50), Offset(100), UINT64_MAX)->next, Offset(100));
  }
}

TEST_F(PartitionLogRecoveryTest, DamageOfOthersIsNoLoss) {
  for (const FakeWal::Stored& frame : f.wal.Frames(FrameBegin(9)))
    if (frame.stream == WalStream(0)) f.wal.Damage(frame.extent.begin);
  auto log = f.Reopen(Row(0, 0), FrameBegin(9) + 1);
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 0, 0, 100, 100));
  EXPECT_EQ(log->ReadHot(Offset(0), Offset(100), UINT64_MAX)->next, Offset(100));
}

TEST_F(PartitionLogRecoveryTest, DamageBehindTheLastFrameGivesUpOffsetsInsteadOfGivingThemTwice) {
  f.wal.Damage(FrameBegin(9));
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  const std::vector<std::int64_t> bounds = Bounds(*log);
  EXPECT_GE(bounds[4], 100);  // above what was there
  const Error error = log->ReadHot(Offset(90), log->visible_end(), UINT64_MAX).error();
  EXPECT_EQ(error.damage()->begin, Offset(90));
  EXPECT_EQ(error.damage()->end, log->visible_end());
  EXPECT_EQ(NextBase(*log), bounds[4]);
  EXPECT_EQ(log->ReadHot(Offset(bounds[4]), log->visible_end(), 1)->next, log->visible_end());

  // The next recovery sees the same: the hole, now between two frames.
  auto again = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(again->FinishRecovery());
  EXPECT_EQ(again->offsets().log_end, Offset(bounds[4] + 1));
  EXPECT_EQ(again->ReadHot(Offset(95), again->visible_end(), 1).error().damage()->end, Offset(bounds[4]));
}

TEST_F(PartitionLogRecoveryTest, RecyclingUpToAHoleKeepsIt) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  log->AdvanceTieredEnd(Offset(40));
  log->OnRecycled(FrameBegin(5));
  EXPECT_EQ(log->ReadHot(Offset(40), Offset(100), 1).error().code(), ErrorCode::kCorruption);
  log->AdvanceTieredEnd(Offset(100));
  log->OnRecycled(f.wal.end());
  EXPECT_EQ(log->offsets().hot_start, Offset(100));
}

TEST_F(PartitionLogRecoveryTest, AHoleThatIsInSegmentsPinsNothingAndOnceRecycledTheLogCanBeNoted) {
  LogFixture own(SyncPolicy::None());
  for (int i = 0; i < 3; ++i) own.Append(1, 100'000);  // each an interval of the index
  const auto frames = own.wal.Frames(own.wal.end());
  own.wal.Damage(frames[1].extent.begin);
  auto log = own.Reopen(Row(0, 0), own.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  log->AdvanceTieredEnd(Offset(1));
  EXPECT_LE(*log->OldestNeeded(), frames[1].extent.begin);
  log->AdvanceTieredEnd(Offset(2));
  EXPECT_EQ(log->OldestNeeded(), frames[2].extent.begin);
  EXPECT_FALSE(log->TakeSnapshot()) << "only the frames tell of a hole";
  log->OnRecycled(frames[2].extent.begin);
  EXPECT_EQ(log->offsets().hot_start, Offset(2));
  ASSERT_TRUE(log->TakeSnapshot());
  EXPECT_EQ(log->TakeSnapshot()->begin, Offset(2));
}

TEST_F(PartitionLogRecoveryTest, ASearchByTimeStepsOverHoles) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_EQ(log->FindHotByTime(Offset(40), 0), Offset(50));
  EXPECT_EQ(log->FindHotByTime(Offset(45), 1000), Offset(50));
  EXPECT_LE(log->FindHotByTime(Offset(0), 1003), Offset(30));
  auto alone = f.Open(WalStream(7), Row(0, 0));
  const WalExtent extent{WalPosition(4096), WalPosition(4096 + 300)};
  alone->RecoverDamage({.extent = extent, .file = "wal/1", .byte_begin = 8192, .byte_end = 8492, .reason = ""});
  ASSERT_TRUE(alone->FinishRecovery());
  EXPECT_EQ(alone->FindHotByTime(Offset(0), 0), alone->visible_end());
}

TEST_F(PartitionLogRecoveryTest, AHolePinsTheWalUntilASegmentSaysIt) {
  f.wal.Damage(FrameBegin(4));
  auto log = f.Reopen(Row(0, 0), f.wal.end());
  ASSERT_TRUE(log->FinishRecovery());
  log->AdvanceTieredEnd(Offset(40));
  ASSERT_TRUE(log->OldestNeeded());
  EXPECT_LE(*log->OldestNeeded(), FrameBegin(4));
  EXPECT_TRUE(log->damaged());
  ASSERT_EQ(log->damage_found().size(), 1U);
  EXPECT_EQ(log->damage_found()[0].begin, Offset(40));
  EXPECT_EQ(log->damage_found()[0].end, Offset(50));
}

TEST_F(PartitionLogRecoveryTest, AHoleWithoutAnyFrameBesideItPinsTheWalAndWantsToBeUploaded) {
  auto log = f.Open(WalStream(7), Row(0, 0));
  const WalExtent extent{WalPosition(4096), WalPosition(4096 + 300)};
  log->RecoverDamage({.extent = extent, .file = "wal/1", .byte_begin = 8192, .byte_end = 8492, .reason = ""});
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_EQ(log->OldestNeeded(), extent.begin);
  EXPECT_GT(log->pending().bytes, 0U);
  EXPECT_EQ(log->ReadHot(Offset(0), Offset(1), 1).error().code(), ErrorCode::kCorruption);
}

TEST_F(PartitionLogRecoveryTest, ADamagedFrameOfOursMovesTheNextOffsetByWhatItHeld) {
  const auto frames = f.wal.Frames(f.wal.end());
  const auto& lost = frames[18];
  auto log = f.Reopen(Row(0, 0), FrameBegin(9));
  std::vector<std::byte> payload(lost.payload.bytes().begin(), lost.payload.bytes().end());
  payload[100] ^= std::byte{1};
  log->RecoverDamagedFrame(
      {.extent = lost.extent, .file = "wal/1", .byte_begin = 1, .byte_end = 2, .reason = "", .stream = WalStream(7)},
      payload);
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 0, 0, 100, 100));
  EXPECT_EQ(log->ReadHot(Offset(90), Offset(100), 1).error().damage()->end, Offset(100));
}

TEST_F(PartitionLogRecoveryTest, ADamagedFrameOfOursThatLiesInSegmentsIsNoLoss) {
  const auto frames = f.wal.Frames(f.wal.end());
  auto log = f.Open(WalStream(7), Row(0, 10));
  log->RecoverDamagedFrame({.extent = frames[0].extent, .file = "wal/1", .reason = "", .stream = WalStream(7)},
                           frames[0].payload.bytes());
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 10, 10, 10, 10));
  EXPECT_FALSE(log->damaged());
}

TEST_F(PartitionLogRecoveryTest, WhatAnotherPartitionMissesIsNotMissedHere) {
  const WalDamage damage{.extent = {FrameBegin(4), FrameBegin(4) + 400},
                         .file = "wal/1",
                         .byte_begin = 1,
                         .byte_end = 401,
                         .reason = "",
                         .stream = {},
                         .one_frame = true};
  const auto frames = f.wal.Frames(f.wal.end());
  auto loser = f.Open(WalStream(7), Row(0, 0)), idle = f.Open(WalStream(8), Row(0, 0));
  for (std::size_t i = 0; i < 20; i += 2) {
    if (i == 8) {
      loser->RecoverDamage(damage);
      idle->RecoverDamage(damage);
    } else {
      ASSERT_TRUE(loser->RecoverFrame(frames[i].extent, frames[i].payload.bytes()));
    }
  }
  const auto lost = loser->FramesLostHere();
  EXPECT_THAT(lost, ElementsAre(FrameBegin(4)));
  idle->Acquit(lost);
  loser->Acquit(lost);
  ASSERT_TRUE(idle->FinishRecovery());
  ASSERT_TRUE(loser->FinishRecovery());
  EXPECT_THAT(Bounds(*idle), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_FALSE(idle->damaged());
  EXPECT_TRUE(loser->damaged());
}

TEST_F(PartitionLogRecoveryTest, NextOffsetsMoveNoFurtherThanWhatCouldFit) {
  for (const std::int64_t bytes : {60, 117, 118, 400}) {
    auto log = f.Open(WalStream(8), Row(0, 0));
    log->RecoverDamage({.extent = {WalPosition(0), WalPosition(bytes)}, .file = "wal/1", .reason = "", .stream = {}});
    ASSERT_TRUE(log->FinishRecovery());
    EXPECT_EQ(log->offsets().log_end.value(), std::max<std::int64_t>(bytes - 117, 0));
  }
}

TEST_F(PartitionLogRecoveryTest, ABrokenPartitionPinsTheWholeWal) {
  auto log = f.Open(WalStream(7), Row(0, 0));
  const auto frames = f.wal.Frames(f.wal.end());
  ASSERT_TRUE(log->RecoverFrame(frames[0].extent, frames[0].payload.bytes()));
  ASSERT_FALSE(log->RecoverFrame(frames[4].extent, frames[4].payload.bytes()));
  ASSERT_FALSE(log->FinishRecovery());
  EXPECT_EQ(log->OldestNeeded(), WalPosition(0));
  ASSERT_TRUE(log->broken());
  EXPECT_EQ(log->broken()->code(), ErrorCode::kCorruption);
}

TEST_F(PartitionLogRecoveryTest, GapWithoutDamageBreaksThePartition) {
  auto log = f.Open(WalStream(7), Row(0, 0));
  const auto frames = f.wal.Frames(f.wal.end());
  ASSERT_TRUE(log->RecoverFrame(frames[0].extent, frames[0].payload.bytes()));
  EXPECT_EQ(log->RecoverFrame(frames[4].extent, frames[4].payload.bytes()).error().code(), ErrorCode::kCorruption);
  EXPECT_FALSE(log->FinishRecovery());
  Buffer batch = TestBatch(1);
  EXPECT_EQ(log->TryAppend(batch).error().code(), ErrorCode::kCorruption);
  EXPECT_EQ(log->ReadHot(Offset(0), Offset(10), 1).error().code(), ErrorCode::kCorruption);
}

TEST_F(PartitionLogRecoveryTest, OverlapAndForeignBytesBreakThePartition) {
  auto log = f.Open(WalStream(7), Row(0, 0));
  const auto frames = f.wal.Frames(f.wal.end());
  ASSERT_TRUE(log->RecoverFrame(frames[0].extent, frames[0].payload.bytes()));
  EXPECT_FALSE(log->RecoverFrame(frames[2].extent, frames[0].payload.bytes()));
  EXPECT_FALSE(log->FinishRecovery());

  auto other = f.Open(WalStream(7), Row(0, 0));
  EXPECT_FALSE(other->RecoverFrame(frames[0].extent, frames[1].payload.bytes()));
  EXPECT_FALSE(other->FinishRecovery());
}

TEST_F(PartitionLogRecoveryTest, WalThatBeginsAboveTieredEndBreaksThePartition) {
  auto log = f.Open(WalStream(7), Row(0, 15));
  const auto frames = f.wal.Frames(f.wal.end());
  EXPECT_FALSE(log->RecoverFrame(frames[4].extent, frames[4].payload.bytes()));
  EXPECT_FALSE(log->FinishRecovery());
}

TEST_F(PartitionLogRecoveryTest, GapWithinSegmentsIsCovered) {
  auto log = f.Open(WalStream(7), Row(0, 60));
  const auto frames = f.wal.Frames(f.wal.end());
  ASSERT_TRUE(log->RecoverFrame(frames[0].extent, frames[0].payload.bytes()));
  for (std::size_t i = 10; i < 20; i += 2) ASSERT_TRUE(log->RecoverFrame(frames[i].extent, frames[i].payload.bytes()));
  ASSERT_TRUE(log->FinishRecovery());
  EXPECT_THAT(Bounds(*log), ElementsAre(0, 50, 60, 100, 100));
}

}  // namespace
}  // namespace millrace
