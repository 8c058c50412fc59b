// Goal: whoever waits at a partition, parked or blocked, is woken by what it waits for, once, and by the end of the
// log; a failed sync is told to those that it concerns. Method: a WAL in memory whose syncs and failures
// the test decides, and threads where a call blocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/watched_clock.h"
#include "log/log_fixture.h"
#include "log/partition_log.h"

namespace millrace {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::Pair;

TEST(PartitionLogWaitTest, ThousandParkedWaitersAreAnsweredByOneAppendWithoutPolling) {
  for (const SyncPolicy sync : {SyncPolicy::None(), SyncPolicy::Each()}) {
    LogFixture f(sync, FakeWal::Syncing::kByHand);
    f.Append(5);
    f.wal.MakeAllDurable();
    int woken = 0;
    for (int i = 0; i < 1000; ++i) f.log->AddWaiter(Offset(5), [&] { ++woken; });
    EXPECT_EQ(f.wal.on_durable_calls(), 0u);  // parked: no waiter asks for anything
    EXPECT_EQ(woken, 0);
    f.Append(1);
    if (sync.kind == SyncPolicy::Kind::kEach) {
      EXPECT_EQ(woken, 0);
      EXPECT_EQ(f.wal.on_durable_calls(), 1u);  // one question for all of them
      f.wal.MakeAllDurable();
    }
    EXPECT_EQ(woken, 1000);
  }
}

TEST(PartitionLogWaitTest, WaiterForWhatIsVisibleRunsAtOnceAndCancelledOnesNever) {
  LogFixture f(SyncPolicy::None());
  f.Append(1);
  int woken = 0;
  f.log->AddWaiter(Offset(0), [&] { ++woken; });
  EXPECT_EQ(woken, 1);
  const std::uint64_t ticket = f.log->AddWaiter(Offset(1), [&] { ++woken; });
  f.log->AddWaiter(Offset(7), [&] { ++woken; });
  EXPECT_TRUE(f.log->CancelWaiter(ticket));
  EXPECT_FALSE(f.log->CancelWaiter(ticket));
  f.Append(1);
  EXPECT_EQ(woken, 1);  // the other waits for offset 7
  f.Append(6);
  EXPECT_EQ(woken, 2);
  f.log->AddWaiter(Offset(100), [&] { ++woken; });
  f.log->Interrupt(Error(ErrorCode::kNotFound, "deleted"));
  EXPECT_EQ(woken, 3);
}

TEST(PartitionLogWaitTest, ALogThatIsFollowedGoesOnWithItsSegmentsAndWakesReaders) {
  for (const auto sync : {SyncPolicy::Each(), SyncPolicy::None()}) {
    LogFixture f(sync);
    int woken = 0;
    f.log->AddWaiter(Offset(4), [&] { ++woken; });
    f.log->FollowTo(Offset(4));
    EXPECT_EQ(woken, 0);
    f.log->FollowTo(Offset(9));
    EXPECT_EQ(woken, 1);
    f.log->FollowTo(Offset(7));
    const PartitionOffsets offsets = f.log->offsets();
    EXPECT_EQ(offsets.log_end, Offset(9));
    EXPECT_EQ(offsets.durable_end, Offset(9));
    EXPECT_EQ(offsets.tiered_end, Offset(9));
    EXPECT_EQ(offsets.hot_start, Offset(9));
    EXPECT_EQ(offsets.log_start, Offset(0));
    EXPECT_EQ(f.log->visible_end(), Offset(9));
    f.log->AdvanceLogStart(Offset(6));
    EXPECT_EQ(f.log->offsets().log_start, Offset(6));
    EXPECT_EQ(f.wal.on_durable_calls(), 0U);
  }
}

TEST(PartitionLogWaitTest, WakeMayAppend) {
  LogFixture f;
  int woken = 0;
  f.log->AddWaiter(Offset(0), [&] {
    ++woken;
    f.Append(1);
  });
  f.Append(1);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(f.log->offsets().log_end, Offset(2));
}

TEST(PartitionLogWaitTest, AwaitVisibleEndsByAppendDeadlineAndInterrupt) {
  LogFixture f;
  EXPECT_FALSE(f.log->AwaitVisible(Offset(0), f.clock.Monotonic()).value());
  std::jthread reader([&] { EXPECT_TRUE(f.log->AwaitVisible(Offset(2), std::chrono::hours(1)).value()); });
  f.Append(1);
  f.Append(2);
  reader.join();
  std::jthread waiter(
      [&] { EXPECT_EQ(f.log->AwaitVisible(Offset(3), std::chrono::hours(1)).error().code(), ErrorCode::kClosed); });
  f.log->Interrupt(Error(ErrorCode::kClosed, "closed"));
  waiter.join();
  Buffer batch = TestBatch(1);
  EXPECT_EQ(f.log->TryAppend(batch).error().code(), ErrorCode::kClosed);
}

TEST(PartitionLogWaitTest, WhoIsBlockedIsWokenByAFailedSyncAndByAnInterrupt) {
  for (const bool interrupted : {false, true}) {
    LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
    WatchedClock clock;
    PartitionLog log(
        {.key = {}, .name = {"orders", PartitionId(0)}, .stream = WalStream(7), .sync = SyncPolicy::Each()}, {}, f.wal,
        f.tail_cache, clock);
    ASSERT_TRUE(log.FinishRecovery());
    Buffer batch = TestBatch(1);
    ASSERT_TRUE(log.TryAppend(batch));
    std::jthread reader([&] {
      const auto visible = log.AwaitVisible(Offset(0), std::chrono::hours(1));
      ASSERT_FALSE(visible);
      EXPECT_EQ(visible.error().code(), interrupted ? ErrorCode::kClosed : ErrorCode::kOutOfSpace);
    });
    clock.AwaitLooksOfOthers(2);  // first the reader asked for the sync
    if (interrupted) {
      log.Interrupt(Error(ErrorCode::kClosed, "closed"));
    } else {
      f.wal.FailSync(Error(ErrorCode::kOutOfSpace, "full"));
    }
  }
}

TEST(PartitionLogWaitTest, AwaitVisibleReportsAFailedSync) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  std::jthread reader(
      [&] { EXPECT_EQ(f.log->AwaitVisible(Offset(0), std::chrono::hours(1)).error().message(), "EIO"); });
  f.Append(1);
  f.wal.Poison(Error(ErrorCode::kUnavailable, "EIO"));
  reader.join();
}

TEST(PartitionLogWaitTest, AFailedSyncIsForgottenOnceOneSucceeded) {
  LogFixture f(SyncPolicy::Each(), FakeWal::Syncing::kByHand);
  f.Append(1);
  int woken = 0;
  f.log->AddWaiter(Offset(0), [&] { ++woken; });
  f.wal.FailSync(Error(ErrorCode::kOutOfSpace, "full"));
  EXPECT_EQ(woken, 1);
  f.log->AddWaiter(Offset(0), [&] { ++woken; });
  f.wal.MakeAllDurable();
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(f.wal.on_durable_calls(), 2u);
  std::jthread reader([&] {
    const auto visible = f.log->AwaitVisible(Offset(1), std::chrono::hours(1));
    ASSERT_TRUE(visible) << visible.error().ToString();
    EXPECT_TRUE(*visible);
  });
  f.Append(1);
  while (f.wal.on_durable_calls() < 3) std::this_thread::yield();  // the reader waits for this sync
  f.wal.MakeAllDurable();
}

TEST(PartitionLogWaitTest, WhyALogEndedIsSaidByTheFirstWhoEndedIt) {
  LogFixture f;
  f.log->Interrupt(Error(ErrorCode::kNotFound, "deleted"));
  f.log->Interrupt(Error(ErrorCode::kClosed, "closed"));
  Buffer batch = TestBatch(1);
  EXPECT_EQ(f.log->TryAppend(batch).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(f.log->AwaitVisible(Offset(0), seconds(1)).error().code(), ErrorCode::kNotFound);
}
}  // namespace
}  // namespace millrace
