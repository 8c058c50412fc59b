// log_start moves here once it has moved in metadata, also when the answer got lost; else not at all. Method: a
// metadata store that fails before or after a call's effect, and counts calls. Concerns S30.
#include "tier/log_start.h"

#include <gtest/gtest.h>

#include "tier/segment_commit.h"
#include "tier/tier_fixture.h"

namespace millrace {
namespace {

class LogStartTest : public ::testing::Test {
 protected:
  LogStartTest() {
    for (int i = 0; i < 5; ++i) f_.Append(0);
  }
  Result<PartitionRow> Advance(Offset to) { return AdvanceLogStart(partition_, f_.metadata, to, 1); }
  Offset LogStart() { return partition_.log().offsets().log_start; }

  TierFixture f_;
  TierPartition& partition_ = *f_.partitions[0];
};

TEST_F(LogStartTest, ThePartitionHearsOfTheMove) {
  const auto row = Advance(Offset(3));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->log_start, Offset(3));
  EXPECT_EQ(LogStart(), Offset(3));
  EXPECT_EQ(partition_.rows, std::vector{f_.Row(0)});
  EXPECT_EQ(f_.metadata.calls(), 3U);  // the partition, its segments, the commit
}

TEST_F(LogStartTest, AMoveWhoseAnswerWasLostIsMadeAgain) {
  for (const auto& [fault, to] : {std::pair(MetadataFault::kBefore, Offset(2)), {MetadataFault::kAfter, Offset(4)}}) {
    f_.metadata.FailCommit(1, fault);
    const auto row = Advance(to);
    ASSERT_TRUE(row) << row.error().ToString();
    EXPECT_EQ(row->log_start, to);
    EXPECT_EQ(LogStart(), to);
  }
  EXPECT_EQ(f_.metadata.calls(), 7U + 4U);  // a commit that did not happen is made again, one that did is looked up
}

TEST_F(LogStartTest, WhatFailsMovesNothingHere) {
  f_.metadata.SetPlan({.before_per_million = 1'000'000});
  EXPECT_EQ(Advance(Offset(3)).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(f_.metadata.calls(), 2U);
  f_.metadata.SetPlan({});
  ASSERT_TRUE(Catalog(*f_.memory_rows).AcquireEpoch(f_.Key(0)));  // another owner's now
  const auto fenced = Advance(Offset(3));
  EXPECT_EQ(fenced.error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(CommitIsKnown(fenced.error()));
  EXPECT_EQ(f_.metadata.calls(), 4U);  // a known outcome is not asked for again
  EXPECT_EQ(LogStart(), Offset(0));
  EXPECT_TRUE(partition_.rows.empty());
}

}  // namespace
}  // namespace millrace
