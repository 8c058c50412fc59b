// Space of the WAL comes back as soon as no partition needs it, and logs hear how far. Method: partitions over a real
// WAL of small files on a simulated disk. Proves W32 in small; concerns S22.
#include "tier/wal_recycler.h"

#include <gtest/gtest.h>

#include "base/deadline.h"
#include "env/sim/sim_file_system.h"
#include "tier/tier_fixture.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

class WalRecyclerTest : public ::testing::Test, public TieredPartitions {
 protected:
  WalRecyclerTest() {
    for (int i = 0; i < 2; ++i)
      partitions_.push_back(std::make_unique<TierPartition>(PartitionRow{.key = {TopicId(1), PartitionId(i)}},
                                                            *opened_.wal, tail_cache_, clock_));
  }
  void ForEach(const std::function<void(TieredPartition&)>& visit) override {
    for (const auto& partition : partitions_) visit(*partition);
  }
  PartitionLog& log(std::size_t i) { return partitions_[i]->log(); }
  /// `count` batches of 50,000 bytes, of which a file holds one; durable.
  void Append(std::size_t i, int count = 1) {
    for (int n = 0; n < count; ++n) ASSERT_TRUE(log(i).Append(TestBatch(1, 50'000), kNever));
    ASSERT_TRUE(log(i).Sync({}));
  }
  bool Recycle(DiskWal::Seal seal = DiskWal::Seal::kKeepActive) {
    const auto recycled = recycler_.RecycleOnce(*this, seal);
    EXPECT_TRUE(recycled);
    return recycled && *recycled;
  }

  SimClock clock_;
  SimFileSystem disk_{1};
  OpenedWal opened_ = OpenWal(disk_, clock_);
  DiskWal& wal_ = *opened_.wal;
  TailCache tail_cache_{0};
  std::vector<std::unique_ptr<TierPartition>> partitions_;
  WalRecycler recycler_{wal_, 64 << 20};
};

TEST_F(WalRecyclerTest, NothingGoesThatAnyPartitionNeedsAndTheRestDoes) {
  Append(0, 4);
  Append(1, 4);
  const WalPosition begin = wal_.begin();
  EXPECT_FALSE(Recycle());
  log(1).AdvanceTieredEnd(Offset(4));
  EXPECT_FALSE(Recycle());  // the first partition lies before it
  EXPECT_EQ(wal_.begin(), begin);
  log(0).AdvanceTieredEnd(Offset(2));
  EXPECT_TRUE(Recycle());
  EXPECT_GT(wal_.begin(), begin);
  EXPECT_LE(wal_.begin(), *log(0).OldestNeeded());
  EXPECT_GT(log(0).offsets().hot_start, Offset(0));
  EXPECT_LE(log(0).offsets().hot_start, Offset(2));
  EXPECT_TRUE(log(0).ReadHot(Offset(2), Offset(4), 1 << 20));
  EXPECT_FALSE(Recycle());
}

TEST_F(WalRecyclerTest, WhatNobodyNeedsGoesUpToWhereTheLogIsDurable) {
  Append(0, 4);
  log(0).AdvanceTieredEnd(Offset(4));
  const std::uint64_t used = wal_.space().used;
  EXPECT_TRUE(Recycle());
  EXPECT_LT(wal_.space().used, used);
  EXPECT_TRUE(Recycle(DiskWal::Seal::kSealActive));
  EXPECT_EQ(wal_.begin(), wal_.durable_end());
  EXPECT_EQ(log(0).offsets().hot_start, Offset(4));
  Append(0);
  EXPECT_FALSE(Recycle());
}

TEST_F(WalRecyclerTest, LogsHearOfSpaceThatWentEarlierToo) {
  Append(0, 4);
  log(0).AdvanceTieredEnd(Offset(4));
  ASSERT_TRUE(wal_.Recycle(wal_.durable_end(), DiskWal::Seal::kKeepActive));  // a step that ended half-way
  EXPECT_EQ(log(0).offsets().hot_start, Offset(0));
  EXPECT_FALSE(Recycle());
  EXPECT_GT(log(0).offsets().hot_start, Offset(0));
}

TEST_F(WalRecyclerTest, UploadsAreHurriedFromOneHalfOnAndSpaceIsTakenBackFromThreeQuarters) {
  const auto share = [&] { return wal_.space().used * 4 / wal_.space().max; };
  bool at_half = false, at_three_quarters = false;
  while (share() < 3 || !at_three_quarters) {
    const DiskWal::Space space = wal_.space();
    at_half = at_half || space.used == space.max / 2;
    at_three_quarters = at_three_quarters || space.used == space.max / 4 * 3;
    EXPECT_EQ(recycler_.WantsUpload(), share() >= 2) << space.used;
    EXPECT_EQ(recycler_.WantsSpace(), share() >= 3) << space.used;
    Append(0);
    ASSERT_LT(log(0).offsets().log_end, Offset(100));
  }
  EXPECT_TRUE(at_half && at_three_quarters);  // files are of one size, so both borders are met
}

TEST_F(WalRecyclerTest, WhatIsInSegmentsIsNoReasonToHurryAndWholeFilesAreHurriedFirst) {
  while (!recycler_.WantsUpload()) Append(0);
  auto pressure = recycler_.Pressure();
  ASSERT_TRUE(pressure);
  EXPECT_EQ(pressure->until, wal_.sealed_end());
  EXPECT_EQ(pressure->bytes_min, wal_.space().max / 2 / 4 * 3);
  EXPECT_EQ(WalRecycler(wal_, 1'000).Pressure()->bytes_min, 750U);
  const Offset end = log(0).offsets().log_end;
  EXPECT_LT(pressure->until, wal_.durable_end());
  log(0).AdvanceTieredEnd(end);
  EXPECT_TRUE(recycler_.WantsUpload());  // until it looks
  recycler_.Look(*this);
  EXPECT_FALSE(recycler_.WantsUpload());
  EXPECT_EQ(recycler_.Pressure(), std::nullopt);
  while (!recycler_.WantsSpace()) Append(0);
  EXPECT_FALSE(recycler_.WantsUpload());  // a quarter is needed
  EXPECT_TRUE(recycler_.WantsEither());
  EXPECT_TRUE(Recycle());
  EXPECT_FALSE(recycler_.WantsEither());
}

}  // namespace
}  // namespace millrace
