// What a segment takes of a claim: it stops before damage, and damage alone becomes a gap no longer than what is lost.
// Method: real logs over a fake WAL, some of whose frames are damaged. Concerns S22 and S24.
#include "tier/segment_cutter.h"

#include <gtest/gtest.h>

#include "tier/tier_fixture.h"

namespace millrace {
namespace {

/// A WAL whose first `bad_reads` reads find every byte of what they ask for wrong.
class FlickeringWal final : public Wal {
 public:
  Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) override {
    return inner_.TryAppend(stream, pieces);
  }
  Result<void> AwaitRoom(std::uint64_t bytes, std::chrono::nanoseconds deadline) override {
    return inner_.AwaitRoom(bytes, deadline);
  }
  Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline) override {
    return inner_.AwaitDurable(end, deadline);
  }
  void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) override {
    inner_.OnDurable(end, std::move(done));
  }
  [[nodiscard]] WalPosition durable_end() const override { return inner_.durable_end(); }
  Result<Frames> Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) override {
    if (bad_reads == 0) return inner_.Read(streams, range, bytes_max);
    --bad_reads;
    DamagedRange damage{.place = "wal/1"};
    damage.byte_begin = static_cast<std::uint64_t>(range.begin.value());
    damage.byte_end = static_cast<std::uint64_t>(range.end.value());
    return Error(ErrorCode::kCorruption, "wal/1 is damaged").WithDamage(damage);
  }
  [[nodiscard]] std::optional<WalPosition> EndOf(const DamagedRange& damage) const override {
    return inner_.EndOf(damage);
  }

  int bad_reads = 0;

 private:
  FakeWal inner_;
};

class SegmentCutterTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kAll = 1 << 20;
  /// Three batches of two records each.
  SegmentCutterTest() {
    for (int i = 0; i < 3; ++i) ends_.push_back(fixture_.Append(2).wal_end);
    (void)fixture_.log->Sync({});
  }
  void DamageBatch(std::size_t i) { fixture_.wal.Damage(i == 0 ? WalPosition(0) : ends_[i - 1]); }
  Result<CutSegment> Cut(std::int64_t begin, std::int64_t end, std::uint64_t bytes_max = kAll) {
    return CutSegmentFrom(*fixture_.log, Offset(begin), Offset(end), bytes_max, SegmentCodec::kNone);
  }
  static std::pair<std::int64_t, std::int64_t> Range(const CutSegment& cut) {
    return {cut.segment.base.value(), cut.segment.end.value()};
  }

  LogFixture fixture_{SyncPolicy::Each(), FakeWal::Syncing::kAsked, 0};
  std::vector<WalPosition> ends_;
};

TEST_F(SegmentCutterTest, TakesBatchesUntilThereIsEnoughAndAtLeastOne) {
  const auto all = Cut(0, 6);
  ASSERT_TRUE(all);
  EXPECT_EQ(Range(*all), std::pair(std::int64_t{0}, std::int64_t{6}));
  EXPECT_EQ(all->segment.records, 6U);
  EXPECT_FALSE(all->damage);
  const std::uint64_t batch = all->raw_bytes / 3;
  for (const auto& [bytes_max, end] : {std::pair<std::uint64_t, std::int64_t>{1, 2}, {batch, 2}, {batch + 1, 4}}) {
    const auto cut = Cut(0, 6, bytes_max);
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->segment.end, Offset(end)) << bytes_max;
    EXPECT_EQ(cut->raw_bytes, batch * static_cast<std::uint64_t>(end) / 2);
  }
  EXPECT_EQ(Range(*Cut(0, 4)), std::pair(std::int64_t{0}, std::int64_t{4}));
}

TEST_F(SegmentCutterTest, AClaimThatBeginsAmidABatchMakesASegmentThatBeginsThere) {
  const auto cut = Cut(1, 6);
  ASSERT_TRUE(cut);
  EXPECT_EQ(Range(*cut), std::pair(std::int64_t{1}, std::int64_t{6}));
}

TEST_F(SegmentCutterTest, ASegmentStopsBeforeDamage) {
  DamageBatch(1);
  const auto cut = Cut(0, 6);
  ASSERT_TRUE(cut);
  EXPECT_EQ(Range(*cut), std::pair(std::int64_t{0}, std::int64_t{2}));
  EXPECT_FALSE(cut->damage);
}

TEST_F(SegmentCutterTest, DamageAtTheBeginningIsAGapOfWhatIsLostWithinTheClaim) {
  DamageBatch(1);
  for (const auto& [begin, end, gap_end] :
       {std::tuple<std::int64_t, std::int64_t, std::int64_t>{2, 6, 4}, {3, 6, 4}, {2, 3, 3}}) {
    const auto cut = Cut(begin, end);
    ASSERT_TRUE(cut) << cut.error().ToString();
    EXPECT_EQ(Range(*cut), std::pair(begin, gap_end));
    ASSERT_TRUE(cut->damage);
    EXPECT_EQ(cut->damage->code(), ErrorCode::kCorruption);
    EXPECT_EQ(cut->segment.records, 0U);
    EXPECT_EQ(cut->segment.size_bytes, 0U);
    EXPECT_EQ(cut->raw_bytes, 0U);
  }
  EXPECT_EQ(Range(*Cut(4, 6)), std::pair(std::int64_t{4}, std::int64_t{6}));
}

TEST_F(SegmentCutterTest, DamageThatASecondLookDoesNotFindIsNone) {
  FlickeringWal wal;
  TierPartition partition({.key = {TopicId(1), PartitionId(0)}}, wal, fixture_.tail_cache, fixture_.clock);
  for (int i = 0; i < 2; ++i) {
    Buffer batch = TestBatch();
    ASSERT_TRUE(partition.log().TryAppend(batch));
  }
  ASSERT_TRUE(partition.log().Sync({}));
  constexpr int kOneLook = 2;  // the log tries a part of the range before it calls it damaged
  wal.bad_reads = kOneLook;
  EXPECT_EQ(partition.log().ReadHot(Offset(0), Offset(2), kAll).error().code(), ErrorCode::kCorruption);
  const auto cut = [&] { return CutSegmentFrom(partition.log(), Offset(0), Offset(2), kAll, SegmentCodec::kNone); };
  wal.bad_reads = kOneLook;
  const auto whole = cut();
  ASSERT_TRUE(whole) << whole.error().ToString();
  EXPECT_FALSE(whole->damage);
  EXPECT_EQ(whole->segment.records, 2U);
  wal.bad_reads = 2 * kOneLook;
  const auto gap = cut();
  ASSERT_TRUE(gap) << gap.error().ToString();
  EXPECT_TRUE(gap->damage);
}

TEST_F(SegmentCutterTest, WhatIsNotHotAnyMoreIsNoSegment) {
  EXPECT_EQ(Cut(6, 6).error().code(), ErrorCode::kOutOfRange);
  fixture_.log->AdvanceTieredEnd(Offset(6));
  fixture_.wal.Recycle(ends_[2]);
  fixture_.log->OnRecycled(ends_[2]);
  EXPECT_EQ(Cut(0, 6).error().code(), ErrorCode::kOutOfRange);
}

}  // namespace
}  // namespace millrace
