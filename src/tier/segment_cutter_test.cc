// What a segment takes of a claim: it stops before damage, and damage alone becomes a gap no longer than what is lost.
// Method: real logs over a fake WAL, some of whose frames are damaged. Concerns S22 and S24.
#include "tier/segment_cutter.h"

#include <gtest/gtest.h>

#include "tier/tier_fixture.h"

namespace millrace {
namespace {

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

TEST_F(SegmentCutterTest, WhatIsNotHotAnyMoreIsNoSegment) {
  EXPECT_EQ(Cut(6, 6).error().code(), ErrorCode::kOutOfRange);
  fixture_.log->AdvanceTieredEnd(Offset(6));
  fixture_.wal.Recycle(ends_[2]);
  fixture_.log->OnRecycled(ends_[2]);
  EXPECT_EQ(Cut(0, 6).error().code(), ErrorCode::kOutOfRange);
}

}  // namespace
}  // namespace millrace
