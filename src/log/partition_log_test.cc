// Goal: offsets keep their order and become visible exactly when the sync policy says so; reads cross tail and WAL
// without gap or repeat. Method: a WAL in memory whose syncs, failures
// and damage the test decides. Proves W8, W19, W34, W37, S15, S35, B12 (bytes unchanged), B23, B30, B32 for the hot
// end.
#include "log/partition_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/watched_clock.h"
#include "log/log_fixture.h"

namespace millrace {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::Pair;

TEST(PartitionLogTest, AppendsGetContiguousOffsetsStampedIntoTheBatch) {
  LogFixture f(SyncPolicy::None());
  f.log->SetEpochs(EpochHistory(LeaderEpoch(5)));
  EXPECT_EQ(f.Append(3).base, Offset(0));
  const AppendedBatch second = f.Append(2);
  EXPECT_EQ(second.base, Offset(3));
  EXPECT_EQ(second.end, Offset(5));
  const HotBatches read = f.log->ReadHot(Offset(0), Offset(5), UINT64_MAX).value();
  EXPECT_THAT(OffsetsOf(read.batches), ElementsAre(Pair(0, 3), Pair(3, 5)));
  EXPECT_EQ(RecordBatchView::Parse(read.batches[1].bytes())->leader_epoch(), LeaderEpoch(5));
  EXPECT_EQ(f.log->offsets().log_end, Offset(5));
}

TEST(PartitionLogTest, NoOffsetIsGivenPastTheCeiling) {
  LogFixture f(SyncPolicy::None());
  std::atomic<bool> met{false};
  PartitionLog log({.key = {TopicId(1), PartitionId(1)},
                    .name = {"orders", PartitionId(1)},
                    .stream = WalStream(8),
                    .sync = SyncPolicy::None(),
                    .ceiling = Offset(5),
                    .ceiling_met = &met},
                   {}, f.wal, f.tail_cache, f.clock);
  ASSERT_TRUE(log.FinishRecovery());
  const auto append = [&](int records) {
    Buffer batch = TestBatch(records, 100, f.clock.WallMs());
    return log.TryAppend(batch);
  };
  ASSERT_TRUE(append(3));
  const auto refused = append(3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTimeout);
  EXPECT_TRUE(refused.error().retryable());
  EXPECT_TRUE(met.exchange(false));
  EXPECT_EQ(log.offsets().log_end, Offset(3));
  ASSERT_TRUE(append(2));  // up to it
  EXPECT_FALSE(met);
  EXPECT_FALSE(append(1));
  log.RaiseCeiling(Offset(6));
  log.RaiseCeiling(Offset(2));  // it does not fall
  ASSERT_TRUE(append(1));
  EXPECT_FALSE(append(1));
}

TEST(PartitionLogTest, TheEpochThatIsStampedIsTheOneThatIsTold) {
  LogFixture f(SyncPolicy::None());
  f.Append(3);
  const EpochRow raised{f.log->key(), LeaderEpoch(2), Offset(3)};
  f.log->SetEpochs(EpochHistory(LeaderEpoch(2), {&raised, 1}, Offset(0)));
  EXPECT_EQ(f.log->EndOfEpoch(LeaderEpoch(2))->end, Offset(3)) << "nothing yet";
  f.Append(2);
  EXPECT_EQ(f.log->epoch(), LeaderEpoch(2));
  EXPECT_EQ(f.log->EndOfEpoch(LeaderEpoch(2))->end, Offset(5));
  EXPECT_EQ(*f.log->EndOfEpoch(LeaderEpoch(1)), (EpochEnd{LeaderEpoch(0), Offset(3)}));
  const HotBatches read = f.log->ReadHot(Offset(0), Offset(5), UINT64_MAX).value();
  for (const SharedBytes& batch : read.batches) {
    const RecordBatchView view = RecordBatchView::Parse(batch.bytes()).value();
    EXPECT_EQ(view.leader_epoch(), f.log->EpochAt(view.base_offset()));
    EXPECT_EQ(view.leader_epoch(), f.log->EpochAt(view.end_offset() - 1));
  }
}

TEST(PartitionLogTest, EachShowsOnlyWhatIsSyncedAndNoneShowsAll) {
  LogFixture each(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  const AppendedBatch first = each.Append(3);
  each.Append(2);
  EXPECT_EQ(each.log->visible_end(), Offset(0));
  each.wal.MakeDurable(first.wal_end - 1);
  EXPECT_EQ(each.log->visible_end(), Offset(0));  // a batch is visible whole or not at all
  each.wal.MakeDurable(first.wal_end);
  EXPECT_EQ(each.log->visible_end(), Offset(3));
  each.wal.MakeAllDurable();
  EXPECT_EQ(each.log->visible_end(), Offset(5));

  LogFixture none(SyncPolicy::None(), FakeWal::Syncing::kByHand);
  none.Append(3);
  EXPECT_EQ(none.log->visible_end(), Offset(3));
  EXPECT_EQ(none.log->offsets().durable_end, Offset(0));
  ASSERT_TRUE(none.log->AwaitAcknowledged({}));  // nothing to wait for
  EXPECT_EQ(none.log->offsets().durable_end, Offset(0));
}

TEST(PartitionLogTest, AwaitAcknowledgedMakesEarlierAppendsVisible) {
  LogFixture f;
  for (int i = 0; i < 5000; ++i) f.Append(1, 10);  // more than the durable marks hold
  EXPECT_EQ(f.log->visible_end(), Offset(0));
  ASSERT_TRUE(f.log->AwaitAcknowledged({}));
  EXPECT_EQ(f.log->visible_end(), Offset(5000));
  EXPECT_EQ(f.log->Sync({}).value(), Offset(5000));
}

TEST(PartitionLogTest, DurableEndNeverRunsAheadOfTheWalWhenMarksAreThinned) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kByHand);
  std::vector<AppendedBatch> appended;
  for (int i = 0; i < 5000; ++i) appended.push_back(f.Append(1, 1));
  for (int i = 0; i < 5000; i += 37) {
    f.wal.MakeDurable(appended[i].wal_end);
    const Offset durable_end = f.log->offsets().durable_end;
    EXPECT_LE(durable_end, appended[i].end);
    if (i > 4999 - 200) EXPECT_GE(durable_end, appended[i].end - 64);
  }
}

TEST(PartitionLogTest, DurableEndIsExactAgainOnceTheWalWasSynced) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kByHand);
  for (int i = 0; i < 1024; ++i) f.Append(1, 1);  // as many marks as there may be
  f.wal.MakeAllDurable();                         // and no reader asks
  std::vector<AppendedBatch> appended;
  for (int i = 0; i < 1024; ++i) appended.push_back(f.Append(1, 1));
  for (const AppendedBatch& batch : appended) {
    f.wal.MakeDurable(batch.wal_end);
    ASSERT_EQ(f.log->offsets().durable_end, batch.end);
  }
}

TEST(PartitionLogTest, FailedAppendLeavesNoTrace) {
  LogFixture f(SyncPolicy::None());
  f.Append(2);
  f.wal.SetAppendError(Error(ErrorCode::kOutOfSpace, "full"));
  Buffer batch = TestBatch(1);
  EXPECT_EQ(f.log->TryAppend(batch).error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(f.log->offsets().log_end, Offset(2));
  f.wal.SetAppendError(std::nullopt);
  EXPECT_EQ(f.log->TryAppend(batch)->base, Offset(2));  // the same buffer again
  EXPECT_THAT(OffsetsOf(f.log->ReadHot(Offset(0), Offset(3), UINT64_MAX)->batches),
              ElementsAre(Pair(0, 2), Pair(2, 3)));
}

TEST(PartitionLogTest, WhatAnAppendSetsOffWaitsUntilItsCallerHasLetGoOfHisLock) {
  LogFixture f(SyncPolicy::None());
  int woken = 0;
  f.log->AddWaiter(Offset(0), [&] { ++woken; });
  Buffer batch = TestBatch(1);
  PartitionLog::Effects effects;
  ASSERT_TRUE(f.log->TryAppend(batch, effects));
  EXPECT_EQ(woken, 0);
  f.log->Run(std::move(effects));
  EXPECT_EQ(woken, 1);
}

TEST(PartitionLogTest, AppendWaitsForRoomAndPoisonComesThrough) {
  LogFixture f;
  f.wal.SetStagingBytes(1000);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(f.log->Append(TestBatch(1, 100), seconds(100)));
  EXPECT_EQ(f.log->offsets().log_end, Offset(20));
  f.wal.Poison(Error(ErrorCode::kUnavailable, "EIO"));
  EXPECT_EQ(f.log->Append(TestBatch(1), seconds(100)).error().message(), "EIO");
  EXPECT_FALSE(f.log->AwaitAcknowledged({}));
  const Offset visible_end = f.log->visible_end();
  EXPECT_GT(visible_end, Offset(0));
  EXPECT_EQ(f.log->ReadHot(Offset(0), visible_end, UINT64_MAX)->next, visible_end);  // reads go on
}

TEST(PartitionLogTest, TailReadDoesNoReadAndSharesTheProducersBytes) {
  LogFixture f(SyncPolicy::None());
  Buffer batch = TestBatch(4, 1000);
  const std::byte* bytes = batch.bytes().data();
  ASSERT_TRUE(f.log->TryAppend(batch));
  const HotBatches read = f.log->ReadHot(Offset(2), Offset(4), 1).value();
  ASSERT_EQ(read.batches.size(), 1u);
  EXPECT_EQ(read.batches[0].data(), bytes);
  EXPECT_EQ(read.tail_bytes, read.batches[0].size());
  EXPECT_EQ(f.wal.reads(), 0u);
}

TEST(PartitionLogTest, ReadCrossesFromWalToTailWithinEveryBudget) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 4000);
  for (int i = 0; i < 100; ++i) {
    f.Append(1 + i % 3, 50 + i);
    f.wal.AppendForeign(200);
  }
  const Offset end = f.log->visible_end();
  EXPECT_LE(f.tail_cache.bytes(), 4000u);
  for (std::uint64_t budget : {1ull, 300ull, 1000ull, 5000ull, ~0ull}) {
    Offset at(0);
    std::uint64_t wal = 0, tail = 0;
    while (at < end) {
      const HotBatches read = f.log->ReadHot(at, end, budget).value();
      ASSERT_FALSE(read.batches.empty());
      const auto offsets = OffsetsOf(read.batches);
      EXPECT_EQ(offsets.front().first, at.value());
      for (std::size_t i = 1; i < offsets.size(); ++i) EXPECT_EQ(offsets[i].first, offsets[i - 1].second);
      EXPECT_TRUE(read.batches.size() == 1 || read.tail_bytes + read.wal_bytes <= budget);
      EXPECT_EQ(offsets.back().second, read.next.value());
      at = read.next;
      wal += read.wal_bytes;
      tail += read.tail_bytes;
    }
    EXPECT_GT(wal, 0u);
    EXPECT_GT(tail, 0u);
  }
}

TEST(PartitionLogTest, BudgetIsUsedUpToTheBatchBorder) {
  LogFixture f(SyncPolicy::None());
  const std::uint64_t size = f.Append(1, 100).wal_end.value() - FakeWal::kFrameOverhead;
  for (int i = 0; i < 9; ++i) f.Append(1, 100);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(10), 3 * size)->batches.size(), 3u);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(10), 3 * size + size - 1)->batches.size(), 3u);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(10), 0)->batches.size(), 1u);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(4), UINT64_MAX)->batches.size(), 4u);
}

TEST(PartitionLogTest, ALargeBatchThatJustFitsIsReadWithTheOneBeforeIt) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  std::uint64_t bytes = 0;
  for (const std::size_t size : {100'000, 200'000}) {  // each an interval of the index
    Buffer batch = TestBatch(1, size);
    bytes += batch.size();
    ASSERT_TRUE(f.log->TryAppend(batch));
  }
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(2), bytes)->batches.size(), 2u);
  const HotBatches first = f.log->ReadHot(Offset(0), Offset(2), bytes - 1).value();
  EXPECT_EQ(first.batches.size(), 1u);
  EXPECT_TRUE(first.full);
}

TEST(PartitionLogTest, FullIsSaidWhenTheNextBatchDoesNotFitAndNotAtTheEnd) {
  for (const std::uint64_t tail_bytes : {0u, 1u << 20}) {
    LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, tail_bytes);
    const std::uint64_t size = f.Append(1, 100).wal_end.value() - FakeWal::kFrameOverhead;
    for (int i = 0; i < 4; ++i) f.Append(1, 100);
    for (const std::uint64_t budget : {std::uint64_t{1}, 2 * size, 2 * size + size / 2}) {
      const HotBatches read = f.log->ReadHot(Offset(0), Offset(5), budget).value();
      EXPECT_EQ(read.batches.size(), budget < size ? 1u : 2u);
      EXPECT_TRUE(read.full) << budget;
    }
    EXPECT_FALSE(f.log->ReadHot(Offset(0), Offset(5), UINT64_MAX)->full);
    EXPECT_FALSE(f.log->ReadHot(Offset(0), Offset(3), 4 * size)->full);
  }
}

TEST(PartitionLogTest, AReadBeyondTheEndOfTheLogEndsThere) {
  for (const std::uint64_t tail_bytes : {0u, 1u << 20}) {
    LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, tail_bytes);
    for (int i = 0; i < 5; ++i) f.Append(1, 100);
    const HotBatches read = f.log->ReadHot(Offset(2), Offset(100), 10'000).value();
    EXPECT_THAT(OffsetsOf(read.batches), ElementsAre(Pair(2, 3), Pair(3, 4), Pair(4, 5)));
    EXPECT_EQ(read.next, Offset(5));
    EXPECT_TRUE(f.log->ReadHot(Offset(5), Offset(100), 10'000)->batches.empty());
  }
}

TEST(PartitionLogTest, CostOfAWalReadFollowsWhatIsReturned) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  for (int i = 0; i < 9000; ++i) f.Append(1, 1000);  // 9 MiB
  ASSERT_EQ(f.tail_cache.bytes(), 0u);
  const std::uint64_t before = f.wal.bytes_read();
  ASSERT_EQ(f.log->ReadHot(Offset(7777), Offset(9000), 1024)->batches.size(), 1u);
  EXPECT_LE(f.wal.bytes_read() - before, 70'000u);
  // A sequence goes on where it ended: every byte is looked at about once.
  const std::uint64_t sequence = f.wal.bytes_read();
  for (Offset at(0); at < Offset(9000);) at = f.log->ReadHot(at, Offset(9000), 50'000)->next;
  EXPECT_LE(f.wal.bytes_read() - sequence, 10'500'000u);
}

TEST(PartitionLogTest, TailBudgetHoldsOverAllPartitionsAndTheOldestGoesFirst) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 10'000);
  auto other = f.Open(WalStream(8), {});
  ASSERT_TRUE(other->FinishRecovery());
  for (int i = 0; i < 10; ++i) f.Append(1, 500);
  for (int i = 0; i < 10; ++i) {
    Buffer batch = TestBatch(1, 500);
    ASSERT_TRUE(other->TryAppend(batch));
    EXPECT_LE(f.tail_cache.bytes(), 10'000u);
  }
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(1), 1)->tail_bytes, 0u);
  EXPECT_GT(f.log->ReadHot(Offset(9), Offset(10), 1)->tail_bytes, 0u);
  EXPECT_EQ(other->ReadHot(Offset(0), Offset(10), UINT64_MAX)->wal_bytes, 0u);
  // A batch that no budget holds is read from the WAL, and so is all before it.
  f.Append(1, 20'000);
  EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(11), UINT64_MAX)->tail_bytes, 0u);
  other.reset();
  f.log.reset();
  EXPECT_EQ(f.tail_cache.bytes(), 0u);
}

TEST(PartitionLogTest, DamagedFrameIsNamedAndSteppedOver) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  std::vector<AppendedBatch> appended;
  std::vector<WalExtent> foreign;
  for (int i = 0; i < 10; ++i) {
    appended.push_back(f.Append(2));
    foreign.push_back(f.wal.AppendForeign(100));
  }
  f.wal.Damage(foreign[2].begin);  // another partition's: not our loss
  f.wal.Damage(foreign[4].end);    // our batch 5, offsets 10 and 11
  const HotBatches before = f.log->ReadHot(Offset(0), Offset(20), UINT64_MAX).value();
  EXPECT_EQ(before.next, Offset(10));
  const Error error = f.log->ReadHot(Offset(10), Offset(20), UINT64_MAX).error();
  EXPECT_EQ(error.code(), ErrorCode::kCorruption);
  ASSERT_NE(error.damage(), nullptr);
  EXPECT_EQ(error.damage()->begin, Offset(10));
  EXPECT_EQ(error.damage()->end, Offset(12));
  EXPECT_EQ(error.damage()->place, "wal/1");
  EXPECT_EQ(error.damage()->byte_begin, static_cast<std::uint64_t>(foreign[4].end.value()));
  EXPECT_EQ(f.log->ReadHot(Offset(12), Offset(20), UINT64_MAX)->next, Offset(20));
}

TEST(PartitionLogTest, WhatLiesBeforeDamageIsReadAlsoIfTheWalHidesIt) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  for (int i = 0; i < 5; ++i) f.Append(1);
  f.wal.Damage(f.wal.Frames(f.wal.end())[3].extent.begin);
  f.wal.HideWhatLiesBeforeDamage();
  const HotBatches before = f.log->ReadHot(Offset(0), Offset(5), UINT64_MAX).value();
  EXPECT_THAT(OffsetsOf(before.batches), ElementsAre(Pair(0, 1), Pair(1, 2), Pair(2, 3)));
  const Error error = f.log->ReadHot(before.next, Offset(5), UINT64_MAX).error();
  ASSERT_NE(error.damage(), nullptr);
  EXPECT_EQ(error.damage()->begin, Offset(3));
  EXPECT_EQ(error.damage()->end, Offset(4));
}

TEST(PartitionLogTest, WholeFramesInsideWhatIsSaidToBeDamagedAreFoundByTheirBlocks) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  f.Append(1);
  f.wal.AppendForeign(5000);  // the next frame begins in a later block
  f.Append(1);
  f.Append(1);
  f.wal.DamageUpTo(f.wal.Frames(f.wal.end())[0].extent.begin, f.wal.end());
  const Error error = f.log->ReadHot(Offset(0), Offset(3), UINT64_MAX).error();
  ASSERT_NE(error.damage(), nullptr);
  EXPECT_EQ(error.damage()->end, Offset(1));
  EXPECT_EQ(f.log->ReadHot(Offset(1), Offset(3), UINT64_MAX)->batches.size(), 2u);
}

TEST(PartitionLogTest, NoMoreIsGivenUpThanIsDamagedWhereverTheDamageIsSaidToBegin) {
  for (const std::int64_t named_before : {0, 150}) {  // the padding before a frame may be part of it
    LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
    f.Append(1);
    f.wal.AppendForeign(1000);  // and what is damaged may begin well behind where we read on
    const AppendedBatch damaged = f.Append(1);
    f.Append(1);
    f.Append(1);
    const WalPosition begin = f.wal.Frames(f.wal.end())[2].extent.begin;
    f.wal.Damage(begin, begin + -named_before);
    EXPECT_EQ(f.log->ReadHot(Offset(0), Offset(4), UINT64_MAX)->next, Offset(1));
    const Error error = f.log->ReadHot(damaged.base, Offset(4), UINT64_MAX).error();
    ASSERT_NE(error.damage(), nullptr);
    EXPECT_EQ(error.damage()->begin, Offset(1));
    EXPECT_EQ(error.damage()->end, Offset(2));
    const HotBatches behind = f.log->ReadHot(error.damage()->end, Offset(4), UINT64_MAX).value();
    EXPECT_EQ(behind.batches.size(), 2u);
    EXPECT_EQ(behind.next, Offset(4));
  }
}

TEST(PartitionLogTest, RecyclingMovesHotStartAndNothingNeededGoes) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 100; ++i) f.Append(1, 10'000);
  ASSERT_EQ(f.log->Sync({}).value(), Offset(100));
  f.log->AdvanceTieredEnd(Offset(60));
  const WalPosition needed = f.log->OldestNeeded().value();
  f.wal.Recycle(needed);
  f.log->OnRecycled(needed);
  const PartitionOffsets offsets = f.log->offsets();
  EXPECT_GT(offsets.hot_start, Offset(50));
  EXPECT_LE(offsets.hot_start, Offset(60));
  EXPECT_EQ(f.log->ReadHot(offsets.hot_start, Offset(100), UINT64_MAX)->next, Offset(100));
  EXPECT_EQ(f.log->ReadHot(offsets.hot_start - 1, Offset(100), 1).error().code(), ErrorCode::kOutOfRange);
  EXPECT_GT(f.log->pending().bytes, 40u * 10'000);

  f.log->AdvanceTieredEnd(Offset(100));
  EXPECT_EQ(f.log->OldestNeeded(), std::nullopt);
  EXPECT_EQ(f.log->pending().bytes, 0u);
  f.log->OnRecycled(f.wal.end());
  EXPECT_EQ(f.log->offsets().hot_start, Offset(100));
  EXPECT_EQ(f.log->hot_bytes(), 0u);
  EXPECT_EQ(f.tail_cache.bytes(), 0u);
  f.clock.Advance(seconds(10));
  f.Append(1);
  EXPECT_EQ(f.log->pending().oldest_ms, f.clock.WallMs());
}

TEST(PartitionLogTest, WhatTheWalSyncedByItselfMayBeTieredOrDeletedAtOnce) {
  for (const bool deleted : {false, true}) {
    LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kByHand);
    f.Append(10);
    f.wal.MakeAllDurable();  // and no reader asks
    deleted ? f.log->AdvanceLogStart(Offset(10)) : f.log->AdvanceTieredEnd(Offset(10));
    EXPECT_EQ(f.log->offsets().tiered_end, Offset(10));
    EXPECT_EQ(f.log->offsets().durable_end, Offset(10));
  }
}

TEST(PartitionLogTest, WhatComesAfterAllWasTieredOrDeletedHasItsOwnAgeAndPinsNothingOfBefore) {
  for (const bool deleted : {false, true}) {
    LogFixture f(SyncPolicy::None());
    f.Append(10);
    ASSERT_TRUE(f.log->Sync({}));
    deleted ? f.log->AdvanceLogStart(Offset(10)) : f.log->AdvanceTieredEnd(Offset(10));
    f.clock.Advance(seconds(10));
    const WalPosition begin = f.wal.end();
    f.Append(1);
    EXPECT_EQ(f.log->OldestNeeded(), begin);
    EXPECT_EQ(f.log->pending().oldest_ms, f.clock.WallMs());
  }
}

TEST(PartitionLogTest, DeletedBatchesLeaveTheTailCache) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 4; ++i) f.Append(10);
  ASSERT_TRUE(f.log->Sync({}));
  const std::uint64_t before = f.tail_cache.bytes();
  f.log->AdvanceLogStart(Offset(20));
  EXPECT_EQ(f.tail_cache.bytes(), before / 2);
  EXPECT_EQ(f.log->ReadHot(Offset(20), Offset(40), UINT64_MAX)->wal_bytes, 0u);
  f.log->AdvanceLogStart(Offset(40));
  EXPECT_EQ(f.tail_cache.bytes(), 0u);
}

TEST(PartitionLogTest, LogStartTakesTieredEndAlong) {
  LogFixture f;
  f.Append(10);
  f.Append(10);
  ASSERT_TRUE(f.log->Sync({}));
  f.log->AdvanceLogStart(Offset(15));
  EXPECT_EQ(f.log->offsets().log_start, Offset(15));
  EXPECT_EQ(f.log->offsets().tiered_end, Offset(15));
  f.log->AdvanceLogStart(Offset(12));
  EXPECT_EQ(f.log->offsets().log_start, Offset(15));
}

TEST(PartitionLogTest, ManyThreadsAppendAndReadAtOnce) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kAsked, 20'000);
  constexpr int kThreads = 4, kAppends = 300;
  std::atomic<int> done{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        const AppendedBatch appended = f.log->Append(TestBatch(1 + t, 60), std::chrono::hours(1)).value();
        EXPECT_EQ(appended.end - appended.base, 1 + t);
        if (i % 50 == 0) {
          EXPECT_TRUE(f.log->AwaitAcknowledged({}));
          EXPECT_GE(f.log->visible_end(), appended.end);
        }
      }
      ++done;
    });
  Offset at(0);
  std::int64_t records = 0;
  while (done < kThreads || at < f.log->offsets().log_end) {
    if (!f.log->AwaitVisible(at, f.clock.Monotonic()).value()) ASSERT_TRUE(f.log->AwaitAcknowledged({}));
    const HotBatches read = f.log->ReadHot(at, f.log->visible_end(), 1000).value();
    for (const auto& [base, end] : OffsetsOf(read.batches)) {
      ASSERT_EQ(base, at.value());
      records += end - base;
      at = Offset(end);
    }
  }
  EXPECT_EQ(records, (1 + 2 + 3 + 4) * kAppends);
}

TEST(PartitionLogTest, SearchByTimeBeginsAtTheRightInterval) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  for (int i = 0; i < 200; ++i) f.Append(1, 10'000, 1000 + i);
  for (int i : {0, 1, 57, 199}) {
    const Offset from = f.log->FindHotByTime(Offset(0), 1000 + i);
    EXPECT_LE(from, Offset(i));
    EXPECT_GE(from, Offset(i - 8));
  }
  EXPECT_EQ(f.log->FindHotByTime(Offset(0), 1200), Offset(200));
  EXPECT_EQ(f.log->FindHotByTime(Offset(150), 0), Offset(150));
}

}  // namespace
}  // namespace millrace
