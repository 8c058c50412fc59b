// Goal: however little memory the index has, every record is read, what is needed keeps its place in the WAL, and a
// read costs calls by what it passes over, not by frames. Method: a log without a tail cache whose index may hold eight
// entries, among frames of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log/log_fixture.h"
#include "log/partition_snapshot.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::int64_t kRecords = 3000;

struct SmallIndex : LogFixture {
  SmallIndex() : LogFixture(SyncPolicy::None(), FakeWal::Syncing::kAsked, 0, 0) {}
  void AppendAmongOthers(std::int64_t records = kRecords) {
    for (std::int64_t i = 0; i < records; ++i) {
      wal.AppendForeign(20'000);
      Append();
    }
  }
};

void ExpectEveryRecord(PartitionLog& log, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; i += 7) {
    const auto read = log.ReadHot(Offset(i), Offset(end), 1);
    ASSERT_TRUE(read) << read.error().ToString();
    ASSERT_THAT(OffsetsOf(read->batches), ElementsAre(Pair(i, i + 1)));
  }
  const auto all = log.ReadHot(Offset(begin), Offset(end), UINT64_MAX);
  ASSERT_TRUE(all) << all.error().ToString();
  EXPECT_EQ(all->next, Offset(end));
  EXPECT_EQ(all->batches.size(), static_cast<std::size_t>(end - begin));
}

TEST(PartitionLogIndexTest, EveryRecordIsReadAndFoundByTimeAlsoAfterARestart) {
  SmallIndex f;
  f.AppendAmongOthers();
  EXPECT_LE(f.log->index_bytes(), WalIndexBudget::kFreeSlots * sizeof(WalIndex::Entry));
  ExpectEveryRecord(*f.log, 0, kRecords);
  EXPECT_EQ(f.log->FindHotByTime(Offset(0), 1000), Offset(0));
  EXPECT_EQ(f.log->FindHotByTime(Offset(0), 1001), Offset(kRecords));

  const auto recovered = f.Reopen({}, f.wal.end());
  ASSERT_TRUE(recovered->FinishRecovery());
  EXPECT_LE(recovered->index_bytes(), WalIndexBudget::kFreeSlots * sizeof(WalIndex::Entry));
  ExpectEveryRecord(*recovered, 0, kRecords);

  std::vector<std::byte> note;
  EncodePartitionSnapshot(*f.log->TakeSnapshot(), note);
  std::span<const std::byte> bytes(note);
  const auto restored = f.Open(WalStream(7), {});
  restored->RestoreSnapshot(*DecodePartitionSnapshot(bytes));
  ASSERT_TRUE(restored->FinishRecovery());
  ExpectEveryRecord(*restored, 0, kRecords);
}

TEST(PartitionLogIndexTest, AShareIsWholeIntervalsAndAtLeastTheOneItBeginsIn) {
  LogFixture f(SyncPolicy::None());
  constexpr WalPosition kEnd(INT64_MAX);
  EXPECT_EQ(f.log->ShareOf(Offset(0), kEnd), std::nullopt);
  std::vector<WalPosition> begins;
  for (int i = 0; i < 6; ++i) {  // two batches an interval
    if (i % 2 == 0) f.wal.AppendForeign(static_cast<std::size_t>(WalIndex::kIntervalBytes));
    begins.push_back(f.wal.end());
    f.Append(1, 600);
  }
  const std::uint64_t batch = f.log->hot_bytes() / 6;
  const auto share = [&](std::int64_t from, WalPosition until) { return f.log->ShareOf(Offset(from), until).value(); };
  EXPECT_EQ(share(0, kEnd).begin, begins[0]);
  EXPECT_EQ(share(0, kEnd).end, Offset(6));
  EXPECT_EQ(share(0, kEnd).bytes, 6 * batch);
  EXPECT_EQ(share(3, kEnd).begin, begins[2]) << "where its interval begins";
  EXPECT_EQ(share(3, kEnd).bytes, 4 * batch);
  f.log->NoteFrameAt(Offset(3), begins[3]);
  EXPECT_EQ(share(3, kEnd).begin, begins[3]) << "known better";
  EXPECT_EQ(share(0, begins[2] + 1).end, Offset(4)) << "an interval that begins before it is whole";
  EXPECT_EQ(share(0, begins[2]).end, Offset(2));
  EXPECT_EQ(share(0, begins[2]).bytes, 2 * batch);
  EXPECT_EQ(share(3, begins[0]).end, Offset(4)) << "at least the first";
  EXPECT_EQ(share(5, begins[0]).end, Offset(6));
  EXPECT_EQ(f.log->ShareOf(Offset(6), kEnd), std::nullopt);
  EXPECT_EQ(f.log->NextInterval(begins[0]), begins[0]);
  EXPECT_EQ(f.log->NextInterval(begins[0] + 1), begins[2]);
  EXPECT_EQ(f.log->NextInterval(begins[4] + 1), std::nullopt);
  (void)f.log->Sync({});
  f.log->AdvanceTieredEnd(Offset(4));
  f.log->OnRecycled(begins[2]);
  EXPECT_EQ(f.log->ShareOf(Offset(1), kEnd), std::nullopt) << "no longer hot";
  EXPECT_EQ(share(2, kEnd).begin, begins[2]);
}

TEST(PartitionLogIndexTest, ANoteOfALargerIndexFitsASmallerBudget) {
  LogFixture large(SyncPolicy::None());
  for (int i = 0; i < kRecords; ++i) {
    large.wal.AppendForeign(20'000);
    large.Append();
  }
  EXPECT_GT(large.log->index_bytes(), 10 * WalIndexBudget::kFreeSlots * sizeof(WalIndex::Entry));
  PartitionSnapshot run = *large.log->TakeSnapshot();
  SmallIndex small;
  small.AppendAmongOthers();  // the same bytes
  const auto restored = small.Open(WalStream(7), {});
  restored->RestoreSnapshot(std::move(run));
  ASSERT_TRUE(restored->FinishRecovery());
  EXPECT_LE(restored->index_bytes(), WalIndexBudget::kFreeSlots * sizeof(WalIndex::Entry));
  ExpectEveryRecord(*restored, 0, kRecords);
}

TEST(PartitionLogIndexTest, AppendsBetweenTheQuestionAndTheRecyclingLoseNothing) {
  for (const bool deleted : {false, true}) {
    SmallIndex f;
    std::int64_t end = 0;
    for (int round = 0; round < 40; ++round) {
      f.AppendAmongOthers(50);
      ASSERT_TRUE(f.log->Sync({}));
      deleted ? f.log->AdvanceLogStart(Offset(end + 30)) : f.log->AdvanceTieredEnd(Offset(end + 30));
      const WalPosition needed = f.log->OldestNeeded().value();
      f.AppendAmongOthers(100 + round * 10);  // meanwhile: the index becomes full and makes room
      f.wal.Recycle(needed);
      f.log->OnRecycled(needed);
      const PartitionOffsets offsets = f.log->offsets();
      ASSERT_LE(offsets.hot_start, offsets.tiered_end);
      end = offsets.log_end.value();
      ExpectEveryRecord(*f.log, offsets.tiered_end.value(), end);
    }
  }
}

TEST(PartitionLogIndexTest, APointReadPassesOverItsOwnFramesManyAtATime) {
  SmallIndex f;
  for (int i = 0; i < 20'000; ++i) f.Append();  // 4 MB, all of one partition
  const std::uint64_t reads = f.wal.reads(), bytes = f.wal.bytes_read();
  ASSERT_TRUE(f.log->ReadHot(Offset(11'111), Offset(20'000), 1));
  const std::uint64_t passed = f.wal.bytes_read() - bytes;
  EXPECT_GT(passed, 100u << 10) << "or the index is not sparse";
  EXPECT_LE(f.wal.reads() - reads, passed / (32 << 10) + 2);
}

}  // namespace
}  // namespace millrace
