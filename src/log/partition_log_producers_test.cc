// Goal: a batch that a producer sends again is not appended again, and is told no earlier than it is where the caller
// wants it; what is known changes with the append, and comes back from frames. Method: a partition over the WAL in
// memory, whose syncs and failures the test decides; two threads that send the same.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "log/log_fixture.h"
#include "log/producer_state_table.h"

namespace millrace {
namespace {

Buffer Numbered(std::int32_t sequence, int count = 1, std::int16_t epoch = 0, std::int64_t id = 9) {
  std::vector<Record> records(static_cast<std::size_t>(count), Record{.timestamp_ms = 1'000, .value = "v"});
  return *BuildRecordBatch(records, {.producer = ProducerStamp{.id = id, .epoch = epoch, .sequence = sequence}});
}

class PartitionLogProducersTest : public testing::Test {
 protected:
  std::unique_ptr<PartitionLog> Open(ProducerStateTable& producers) {
    const PartitionLog::Options options{.key = {TopicId(1), PartitionId(0)},
                                        .name = {"orders", PartitionId(0)},
                                        .stream = WalStream(7),
                                        .sync = f_.sync,
                                        .producers = &producers};
    return std::make_unique<PartitionLog>(options, PartitionRow{}, f_.wal, f_.tail_cache, f_.clock);
  }
  std::unique_ptr<PartitionLog> Opened(ProducerStateTable& producers) {
    auto log = Open(producers);
    EXPECT_TRUE(log->FinishRecovery());
    return log;
  }
  /// What every frame brings back.
  std::unique_ptr<PartitionLog> Recovered(ProducerStateTable& producers, WalPosition wal_end) {
    auto log = Open(producers);
    for (const FakeWal::Stored& frame : f_.wal.Frames(wal_end))
      EXPECT_TRUE(log->RecoverFrame(frame.extent, frame.payload.bytes()));
    EXPECT_TRUE(log->FinishRecovery());
    return log;
  }
  Result<AppendedBatch> Send(PartitionLog& log, Buffer batch) { return log.TryAppend(batch); }

  LogFixture f_{SyncPolicy::Each(), FakeWal::Syncing::kByHand};
  ProducerStateTable table_;
};

TEST_F(PartitionLogProducersTest, ARepetitionIsNotAppendedAndTellsOfTheFirstTime) {
  const auto log = Opened(table_);
  const AppendedBatch first = Send(*log, Numbered(0, 3)).value();
  EXPECT_FALSE(first.repeated);
  ASSERT_TRUE(Send(*log, Numbered(3)));
  Buffer again = Numbered(0, 3);
  const std::uint64_t cached = f_.tail_cache.bytes();
  const AppendedBatch repeated = log->TryAppend(again).value();
  EXPECT_TRUE(repeated.repeated);
  EXPECT_EQ(repeated.base, first.base);
  EXPECT_EQ(repeated.end, first.end);
  EXPECT_EQ(repeated.timestamp_max_ms, 1'000);
  EXPECT_EQ(again.size(), Numbered(0, 3).size()) << "left with the caller";
  EXPECT_EQ(log->offsets().log_end, Offset(4));
  EXPECT_EQ(f_.tail_cache.bytes(), cached);
}

TEST_F(PartitionLogProducersTest, ARepetitionWaitsForTheSyncOfTheFirstTimeAndForNoneThatIsOver) {
  const auto log = Opened(table_);
  const AppendedBatch first = Send(*log, Numbered(0)).value();
  EXPECT_GE(Send(*log, Numbered(0))->wal_end, first.wal_end) << "not durable yet";
  f_.wal.MakeDurable(first.wal_end);
  ASSERT_TRUE(Send(*log, Numbered(1)));
  EXPECT_EQ(Send(*log, Numbered(0))->wal_end, WalPosition());
  EXPECT_GT(Send(*log, Numbered(1))->wal_end, first.wal_end);
  f_.wal.Poison(Error(ErrorCode::kUnavailable, "broken"));
  EXPECT_GT(Send(*log, Numbered(1))->wal_end, f_.wal.durable_end()) << "its sync will never come, and it says so";
}

TEST_F(PartitionLogProducersTest, ABatchThatWasNotStagedIsNotKnown) {
  const auto log = Opened(table_);
  f_.wal.SetAppendError(Error(ErrorCode::kUnavailable, "no room"));
  EXPECT_FALSE(Send(*log, Numbered(0)));
  EXPECT_EQ(table_.counts().states, 0U);
  f_.wal.SetAppendError({});
  EXPECT_FALSE(Send(*log, Numbered(0))->repeated);
}

TEST_F(PartitionLogProducersTest, WhatDoesNotFollowIsRefusedByName) {
  const auto log = Opened(table_);
  ASSERT_TRUE(Send(*log, Numbered(0, 1, 1)));
  EXPECT_EQ(Send(*log, Numbered(2, 1, 1)).error().code(), ErrorCode::kOutOfSequence);
  EXPECT_EQ(Send(*log, Numbered(1, 1, 0)).error().code(), ErrorCode::kProducerFenced);
  EXPECT_EQ(log->offsets().log_end, Offset(1));
}

TEST_F(PartitionLogProducersTest, FramesBringBackWhoAppendedThem) {
  {
    const auto log = Opened(table_);
    for (std::int32_t i = 0; i < 7; ++i) ASSERT_TRUE(Send(*log, Numbered(i)));
    Buffer plain = TestBatch();
    ASSERT_TRUE(log->TryAppend(plain));
  }
  ProducerStateTable again;
  const auto log = Recovered(again, f_.wal.end());
  EXPECT_EQ(again.All(), table_.All());
  for (std::int32_t i = 2; i < 7; ++i) EXPECT_EQ(Send(*log, Numbered(i))->base, Offset(i));
  EXPECT_EQ(Send(*log, Numbered(1)).error().code(), ErrorCode::kOutOfSequence);
  EXPECT_EQ(Send(*log, Numbered(7))->base, Offset(8));
  // A crash that took the last frames took what was known of them.
  ProducerStateTable shorter;
  const auto frames = f_.wal.Frames(f_.wal.end());
  const auto cut = Recovered(shorter, frames[4].extent.end);
  EXPECT_FALSE(Send(*cut, Numbered(5))->repeated) << "it was lost, and is appended";
}

TEST_F(PartitionLogProducersTest, TwoThatSendTheSameAtOnceAppendItOnce) {
  const auto log = Opened(table_);
  constexpr std::int32_t kBatches = 300;
  std::atomic<int> appended = 0;
  const auto send_all = [&] {
    for (std::int32_t i = 0; i < kBatches; ++i) {
      // The other may be further by some batches, but not by more than the window.
      for (;;) {
        const auto sent = Send(*log, Numbered(i));
        if (sent) {
          appended += sent->repeated ? 0 : 1;
          EXPECT_EQ(sent->base, Offset(i));
          break;
        }
        ASSERT_EQ(sent.error().code(), ErrorCode::kOutOfSequence);
        if (log->offsets().log_end > Offset(i)) break;  // it fell behind the window: there it is
      }
    }
  };
  {
    const std::jthread one(send_all), other(send_all);
  }
  EXPECT_EQ(appended, kBatches);
  EXPECT_EQ(log->offsets().log_end, Offset(kBatches));
}

}  // namespace
}  // namespace millrace
