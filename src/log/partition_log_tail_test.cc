// Goal: what a server asks of a log without waiting is right: the tail from any offset, within limits, up to the
// visible end; bytes counted on from where they were counted; watches called once for each arming, and for every reason
// there is. Method: a WAL in memory whose syncs the test makes.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "log/log_fixture.h"
#include "log/visible_watches.h"

namespace millrace {
namespace {

using State = TailBatches::State;
using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

class CountingWatch final : public VisibleWatch {
 public:
  void OnVisible() override { ++calls; }
  int calls = 0;
};

TEST(PartitionLogTailTest, GivesWholeBatchesFromTheOneThatHoldsTheOffset) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 3; ++i) f.Append(3);
  const auto read = f.log->ReadTail(Offset(4), 1 << 20, Overshoot::kFirstBatch).value();
  EXPECT_EQ(read.state, State::kHere);
  EXPECT_EQ(OffsetsOf(read.batches), (Pairs{{3, 6}, {6, 9}}));
  EXPECT_EQ(read.next, Offset(9));
  EXPECT_EQ(read.high_watermark, Offset(9));
  EXPECT_EQ(read.log_start, Offset(0));
  EXPECT_FALSE(read.full);
  const auto hot = f.log->ReadHot(Offset(4), Offset(9), 1 << 20).value();
  EXPECT_EQ(read.batches[0].data(), hot.batches[0].data()) << "a slice, no copy";
}

TEST(PartitionLogTailTest, LimitStopsBetweenBatchesAndOnlyTheFirstMayOvershoot) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 3; ++i) f.Append();
  const std::uint64_t size = TestBatch().size();
  auto read = f.log->ReadTail(Offset(0), 2 * size, Overshoot::kNever).value();
  EXPECT_EQ(read.batches.size(), 2U);
  EXPECT_TRUE(read.full);
  EXPECT_EQ(read.next, Offset(2));
  read = f.log->ReadTail(Offset(0), size - 1, Overshoot::kFirstBatch).value();
  EXPECT_EQ(read.batches.size(), 1U);
  EXPECT_TRUE(read.full);
  read = f.log->ReadTail(Offset(0), size - 1, Overshoot::kNever).value();
  EXPECT_EQ(read.state, State::kHere);
  EXPECT_TRUE(read.batches.empty());
  EXPECT_TRUE(read.full);
  EXPECT_EQ(read.next, Offset(0));
}

TEST(PartitionLogTailTest, MoreBatchesThanOneLockTakesComeAll) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 1000; ++i) f.Append(1, 1);
  const auto read = f.log->ReadTail(Offset(1), UINT64_MAX, Overshoot::kFirstBatch).value();
  EXPECT_EQ(read.batches.size(), 999U);
  EXPECT_EQ(read.next, Offset(1000));
}

TEST(PartitionLogTailTest, ReadsNothingThatIsNotVisible) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  f.Append();
  f.wal.MakeAllDurable();
  f.Append();
  auto read = f.log->ReadTail(Offset(0), 1 << 20, Overshoot::kFirstBatch).value();
  EXPECT_EQ(OffsetsOf(read.batches), (Pairs{{0, 1}}));
  EXPECT_EQ(read.high_watermark, Offset(1));
  for (const std::int64_t at : {1, 2})
    EXPECT_EQ(f.log->ReadTail(Offset(at), 1 << 20, Overshoot::kFirstBatch)->state, State::kNothingYet) << at;
  EXPECT_EQ(f.wal.on_durable_calls(), 0U) << "looking asks for no sync";
}

TEST(PartitionLogTailTest, OutsideTheLogIsToldWithBounds) {
  LogFixture f(SyncPolicy::None());
  for (int i = 0; i < 3; ++i) f.Append();
  f.wal.MakeAllDurable();
  f.log->AdvanceLogStart(Offset(1));
  for (const std::int64_t at : {0, 4, -1}) {
    const auto read = f.log->ReadTail(Offset(at), 1 << 20, Overshoot::kFirstBatch);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kOutOfRange);
    EXPECT_EQ(read.error().bounds(), (OffsetBounds{Offset(1), Offset(3)}));
  }
}

TEST(PartitionLogTailTest, WhatIsNotInMemoryIsElsewhere) {
  LogFixture f(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0);
  f.Append();
  const auto read = f.log->ReadTail(Offset(0), 1 << 20, Overshoot::kFirstBatch).value();
  EXPECT_EQ(read.state, State::kElsewhere);
  EXPECT_EQ(read.high_watermark, Offset(1));
  EXPECT_EQ(f.wal.reads(), 0U);
  EXPECT_EQ(f.log->VisibleBytes(Offset(0), 500).bytes, 500U) << "taken for enough";
}

TEST(PartitionLogTailTest, BytesAreCountedOnFromWhereTheyWereCounted) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  const std::uint64_t size = TestBatch().size();
  for (int i = 0; i < 3; ++i) f.Append();
  EXPECT_EQ(f.log->VisibleBytes(Offset(0), 1).bytes, 0U);
  f.wal.MakeAllDurable();
  auto counted = f.log->VisibleBytes(Offset(0), size + 1);
  EXPECT_EQ(counted.bytes, 2 * size);
  EXPECT_EQ(counted.end, Offset(2));
  counted = f.log->VisibleBytes(counted.end, UINT64_MAX);
  EXPECT_EQ(counted.bytes, size);
  EXPECT_EQ(counted.end, Offset(3));
  EXPECT_EQ(f.log->VisibleBytes(Offset(3), 1).bytes, 0U);
  EXPECT_EQ(f.log->VisibleBytes(Offset(7), 1).bytes, 0U);
}

TEST(VisibleWatchTest, IsCalledOnceForEachArming) {
  LogFixture f(SyncPolicy::None());
  const auto watch = std::make_shared<CountingWatch>();
  EXPECT_EQ(f.log->ArmWatch(watch, Offset(0)).value(), true);
  EXPECT_EQ(watch->calls, 0);
  f.Append();
  EXPECT_EQ(watch->calls, 1);
  f.Append();
  EXPECT_EQ(watch->calls, 1) << "not armed";
  EXPECT_EQ(f.log->ArmWatch(watch, Offset(1)).value(), false) << "visible already";
  EXPECT_EQ(f.log->ArmWatch(watch, Offset(3)).value(), true);
  f.Append(2);
  EXPECT_EQ(watch->calls, 2);
}

TEST(VisibleWatchTest, WaitsForTheOffsetItWasArmedForLast) {
  LogFixture f(SyncPolicy::None());
  const auto near = std::make_shared<CountingWatch>(), far = std::make_shared<CountingWatch>();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(f.log->ArmWatch(near, Offset(i)));
    ASSERT_TRUE(f.log->ArmWatch(far, Offset(2)));
    f.Append();
    EXPECT_EQ(near->calls, i + 1);
    EXPECT_EQ(far->calls, i == 2 ? 1 : 0);
  }
  ASSERT_TRUE(f.log->ArmWatch(near, Offset(3)));
  ASSERT_TRUE(f.log->ArmWatch(near, Offset(4)));
  f.Append();
  EXPECT_EQ(near->calls, 3);
}

TEST(VisibleWatchTest, DisarmedIsNotCalled) {
  LogFixture f(SyncPolicy::None());
  const auto one = std::make_shared<CountingWatch>(), two = std::make_shared<CountingWatch>();
  ASSERT_TRUE(f.log->ArmWatch(one, Offset(0)));
  ASSERT_TRUE(f.log->ArmWatch(two, Offset(0)));
  f.log->DisarmWatch(*one);
  f.log->DisarmWatch(*one);
  f.Append();
  EXPECT_EQ(one->calls, 0);
  EXPECT_EQ(two->calls, 1);
}

TEST(VisibleWatchTest, AsksForTheSyncThatMakesItVisible) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  const auto watch = std::make_shared<CountingWatch>();
  f.Append();  // in the system, not on the disk
  ASSERT_EQ(f.log->ArmWatch(watch, Offset(0)).value(), true);
  EXPECT_EQ(f.wal.on_durable_calls(), 1U);
  EXPECT_EQ(watch->calls, 0);
  f.wal.MakeAllDurable();
  EXPECT_EQ(watch->calls, 1);
  ASSERT_EQ(f.log->ArmWatch(watch, Offset(1)).value(), true);
  f.Append();
  EXPECT_EQ(f.wal.on_durable_calls(), 2U);
  f.wal.MakeAllDurable();
  EXPECT_EQ(watch->calls, 2);
}

TEST(VisibleWatchTest, FailedSyncIsToldOnceAndDoesNotSpin) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  const auto watch = std::make_shared<CountingWatch>();
  f.Append();
  ASSERT_TRUE(f.log->ArmWatch(watch, Offset(0)));
  f.wal.FailSync(Error(ErrorCode::kOutOfSpace, "full"));
  EXPECT_EQ(watch->calls, 1);
  const auto again = f.log->ArmWatch(watch, Offset(0));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(watch->calls, 1);
  f.wal.MakeAllDurable();  // another appender's sync
  EXPECT_EQ(f.log->ArmWatch(watch, Offset(0)).value(), false);
  EXPECT_EQ(f.log->ArmWatch(watch, Offset(1)).value(), true) << "the failure is past";
}

TEST(VisibleWatchTest, EndOfTheLogIsACallAndThenAnError) {
  LogFixture f;
  const auto watch = std::make_shared<CountingWatch>();
  ASSERT_TRUE(f.log->ArmWatch(watch, Offset(0)));
  f.log->Interrupt(Error(ErrorCode::kNotFound, "deleted"));
  EXPECT_EQ(watch->calls, 1);
  const auto again = f.log->ArmWatch(watch, Offset(0));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kNotFound);
}

TEST(VisibleWatchTest, CallMayArmAgainAndAppend) {
  struct Chain final : VisibleWatch {
    LogFixture* f = nullptr;
    std::weak_ptr<Chain> self;
    int calls = 0;
    void OnVisible() override {
      if (++calls == 3) return;
      EXPECT_EQ(f->log->ArmWatch(self.lock(), Offset(calls)).value(), true);
      f->Append();
    }
  };
  LogFixture f(SyncPolicy::None());
  const auto chain = std::make_shared<Chain>();
  chain->f = &f;
  chain->self = chain;
  ASSERT_TRUE(f.log->ArmWatch(chain, Offset(0)));
  f.Append();
  EXPECT_EQ(chain->calls, 3);
}

}  // namespace
}  // namespace millrace
