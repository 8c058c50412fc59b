// A commit whose answer was lost is looked up, and never guessed. Method: a metadata store that fails before or after a
// call's effect, and counts calls. Concerns S22 and S30 (a commit happens once, or is known not to have happened).
#include "tier/segment_commit.h"

#include <gtest/gtest.h>

#include "tier/tier_fixture.h"

namespace millrace {
namespace {

class SegmentCommitTest : public ::testing::Test {
 protected:
  SegmentCommitTest() {
    (void)Catalog(*f_.memory_rows).PrepareObject(object_);
    commit_.segment.partition = gap_.segment.partition = f_.Key(0);
  }
  Result<std::vector<PartitionRow>> Commit() { return CommitAndKnow(f_.metadata, object_, {&commit_, 1}); }
  Result<std::vector<PartitionRow>> CommitGap() { return CommitAndKnow(f_.metadata, {}, {&gap_, 1}); }

  TierFixture f_;
  ObjectRow object_{.id = {7}, .key = "objects/7", .size_bytes = 10};
  SegmentCommit commit_{.segment = {.end = Offset(5), .object = {7}, .byte_size = 10, .records = 5}};
  SegmentCommit gap_{.segment = {.end = Offset(5)}};
};

TEST_F(SegmentCommitTest, AnAnswerThatCameIsTheOutcomeAndNothingIsAskedAgain) {
  const auto rows = Commit();
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().tiered_end, Offset(5));
  EXPECT_EQ(f_.metadata.calls(), 2U);  // the rows, and the commit
  commit_.epoch = LeaderEpoch(3);
  object_.id = commit_.segment.object = {8};
  ASSERT_TRUE(Catalog(*f_.memory_rows).PrepareObject(object_));
  EXPECT_EQ(Commit().error().code(), ErrorCode::kFenced);
  EXPECT_EQ(f_.metadata.calls(), 3U);
}

TEST_F(SegmentCommitTest, OneThatHappenedBeforeItsAnswerWasLostIsASuccess) {
  f_.metadata.FailCommit(1, MetadataFault::kAfter);
  const auto rows = Commit();
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(rows->front(), f_.Row(0));
  EXPECT_EQ(f_.Row(0).segments, 1U);
}

TEST_F(SegmentCommitTest, OneThatDidNotHappenIsMadeAgain) {
  f_.metadata.FailCommit(1, MetadataFault::kBefore);
  ASSERT_TRUE(Commit());
  EXPECT_EQ(f_.Row(0).tiered_end, Offset(5));
}

TEST_F(SegmentCommitTest, WhileNobodyCanBeAskedTheFirstErrorStandsAndSaysNothing) {
  f_.metadata.SetPlan({.silent_once_fired = true});
  f_.metadata.FailCommit(1, MetadataFault::kAfter);
  const auto rows = Commit();
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(CommitIsKnown(rows.error()));
  EXPECT_EQ(f_.metadata.calls(), 4U);  // the rows, the commit and two look-ups; no further try in the dark
}

TEST_F(SegmentCommitTest, AnObjectThatWasGivenUpMeanwhileIsKnownNeverToBeCommitted) {
  ASSERT_TRUE(Catalog(*f_.memory_rows).AbandonObject(object_.id, 1));
  for (int round = 0; round < 2; ++round) {  // being deleted; then forgotten
    f_.metadata.FailCall(1, MetadataFault::kBefore);
    const std::uint64_t calls = f_.metadata.calls();
    const auto rows = Commit();
    ASSERT_FALSE(rows);
    EXPECT_EQ(rows.error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(CommitIsKnown(rows.error()));
    EXPECT_EQ(f_.metadata.calls(), calls + 2);
    ASSERT_TRUE(Catalog(*f_.memory_rows).ForgetObject(object_.id));
  }
}

TEST_F(SegmentCommitTest, GapsHaveNoObjectAndAreToldByTheirRows) {
  f_.metadata.FailCommit(1, MetadataFault::kAfter);
  const auto rows = CommitGap();
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(rows->front().tiered_end, Offset(5));
  EXPECT_EQ(f_.metadata.calls(), 3U);  // the rows, the commit, and what it wrote
  EXPECT_EQ(f_.Row(0).segments, 1U);
}

}  // namespace
}  // namespace millrace
