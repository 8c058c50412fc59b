// What retention forgets, and what it asks metadata for. Method: segments committed by hand with times and sizes of the
// test's choice, a simulated clock, a metadata store that counts its calls and loses answers. Concerns S31.
#include "tier/retention_policy.h"

#include <gtest/gtest.h>

#include "meta/catalog.h"
#include "millrace/request_scope.h"
#include "tier/tier_fixture.h"

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct RetentionFixture : TierFixture {
  explicit RetentionFixture(int count = 1, std::shared_ptr<MemoryMetadataStore> rows = {})
      : TierFixture(count, std::move(rows)) {}
  /// One more segment of partition `i`, of one record.
  void Segment(int i, std::uint64_t bytes, std::int64_t committed_ms, std::int64_t timestamp_max_ms) {
    TierPartition& partition = *partitions[static_cast<std::size_t>(i)];
    const AppendedBatch appended = Append(i);
    const ObjectRow object{.id = {++objects_made}, .key = std::to_string(objects_made), .size_bytes = bytes};
    ASSERT_TRUE(Catalog(*memory_rows).PrepareObject(object));
    const SegmentCommit commit{.segment = {.partition = Key(i),
                                           .base = appended.base,
                                           .end = appended.end,
                                           .object = object.id,
                                           .byte_size = bytes,
                                           .records = 1,
                                           .timestamp_max_ms = timestamp_max_ms,
                                           .committed_ms = committed_ms}};
    const auto rows = Catalog(*memory_rows).CommitSegments(object, {&commit, 1});
    ASSERT_TRUE(rows) << rows.error().ToString();
    partition.OnRow(rows->front());
  }
  void SegmentOfNow(int i, std::uint64_t bytes = 60) { Segment(i, bytes, clock.WallMs(), clock.WallMs()); }
  TopicOptions& options(int i) { return partitions[static_cast<std::size_t>(i)]->topic_options; }
  Offset LogStart(int i) { return partitions[static_cast<std::size_t>(i)]->log().offsets().log_start; }
  /// Calls of metadata that one look costs.
  std::uint64_t CallsOfALook() {
    const std::uint64_t before = metadata.calls();
    EXPECT_TRUE(policy.RetainOnce(*this));
    return metadata.calls() - before;
  }

  std::uint8_t objects_made = 0;
  TrustedTime time{clock};
  RetentionPolicy policy{metadata, time};
};

TEST(RetentionPolicyTest, ASegmentGoesOnceItIsOlderThanItsTimeAndItsSuccessorStays) {
  RetentionFixture f;
  f.options(0).retention_time = hours(1);
  f.SegmentOfNow(0);
  f.clock.Advance(minutes(30));
  f.SegmentOfNow(0);
  f.clock.Advance(minutes(30));
  EXPECT_FALSE(*f.policy.RetainOnce(f));
  f.clock.Advance(milliseconds(1));
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(1));
  EXPECT_EQ(f.Row(0).segments, 1U);
  EXPECT_EQ(f.policy.records_retired(), 1U);
  EXPECT_FALSE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(1));
}

TEST(RetentionPolicyTest, AgeRunsFromTheNewestRecordOrTheCommitWhicheverWasEarlier) {
  RetentionFixture f(3);
  const std::int64_t now_ms = f.clock.WallMs(), old_ms = now_ms - milliseconds(hours(2)).count();
  for (int i = 0; i < 3; ++i) f.options(i).retention_time = hours(1);
  f.Segment(0, 60, now_ms, old_ms);                                           // old records
  f.Segment(1, 60, old_ms, now_ms + milliseconds(hours(1'000'000)).count());  // a producer's clock far ahead
  f.Segment(2, 60, 0, now_ms + 1);  // when is unknown, but before the one behind it
  f.Segment(2, 60, old_ms, now_ms);
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(1));
  EXPECT_EQ(f.LogStart(1), Offset(1));
  EXPECT_EQ(f.LogStart(2), Offset(2));
}

TEST(RetentionPolicyTest, WholeSegmentsGoWhileTheRestIsStillAsManyBytesAsAreKept) {
  for (const auto& [kept, log_start] : {std::pair(120U, 1), {121U, 0}, {60U, 2}, {61U, 1}, {0U, 3}}) {
    RetentionFixture f;
    f.options(0).retention_bytes = kept;
    for (int n = 0; n < 3; ++n) f.SegmentOfNow(0);
    EXPECT_EQ(*f.policy.RetainOnce(f), log_start != 0) << kept;
    EXPECT_EQ(f.LogStart(0), Offset(log_start)) << kept;
  }
}

TEST(RetentionPolicyTest, BytesThatWaitForUploadCountAsKept) {
  RetentionFixture f;
  f.options(0).retention_bytes = 200;
  f.SegmentOfNow(0);
  EXPECT_FALSE(*f.policy.RetainOnce(f));
  f.Append(0, 1'000);
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(1));
}

TEST(RetentionPolicyTest, WhileTheTimeIsDoubtedNothingGoesForItsAgeAndSizeCountsAsBefore) {
  RetentionFixture f(2);
  f.options(0).retention_time = hours(1);
  f.options(1).retention_bytes = 0;
  for (int i = 0; i < 2; ++i) f.SegmentOfNow(i);
  f.time.Start(f.clock.WallMs());
  f.clock.JumpWall(hours(24 * 365));
  f.clock.Advance(hours(2));
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(0));
  EXPECT_EQ(f.LogStart(1), Offset(1));
}

TEST(RetentionPolicyTest, ManySegmentsThatAreDueGoInOneLook) {
  RetentionFixture f;
  f.options(0).retention_time = hours(1);
  for (int n = 0; n < 40; ++n) f.SegmentOfNow(0);
  f.clock.Advance(hours(2));
  f.SegmentOfNow(0);
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(40));
}

TEST(RetentionPolicyTest, MetadataIsAskedOnceUntilSomethingIsDue) {
  RetentionFixture f;
  f.options(0).retention_time = hours(1);
  f.SegmentOfNow(0);
  EXPECT_EQ(f.CallsOfALook(), 2U);  // the partition and the rows
  EXPECT_EQ(f.CallsOfALook(), 0U);
  f.clock.Advance(hours(2));
  f.SegmentOfNow(0);
  EXPECT_EQ(f.CallsOfALook(), 2U + 4U);  // the rows, and the move
  EXPECT_EQ(f.CallsOfALook(), 0U);       // what stays was among the rows
  f.clock.Advance(hours(2));
  EXPECT_EQ(f.CallsOfALook(), 2U + 4U);
  EXPECT_EQ(f.CallsOfALook(), 0U);  // nothing is left
}

TEST(RetentionPolicyTest, ASegmentStampedAheadThatDoesNotKnowItsCommitIsLookedAtAgain) {
  for (const bool ahead : {false, true}) {
    RetentionFixture f;
    f.options(0).retention_time = hours(1);
    f.Segment(0, 60, 0, f.clock.WallMs() + (ahead ? 1'000'000 : -1'000));
    EXPECT_EQ(f.CallsOfALook(), 2U);
    EXPECT_EQ(f.CallsOfALook(), ahead ? 2U : 0U);
  }
}

TEST(RetentionPolicyTest, AMoveNobodyKnowsTheOutcomeOfIsMadeAgainBeforeAnythingElse) {
  class Rows final : public MemoryMetadataStore {
   public:
    Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                               std::span<const MetadataWrite> writes) override {
      auto committed = MemoryMetadataStore::Commit(expected, writes);
      if (!lost) return committed;
      silent = 2;  // the look-up, and the move made once more
      return Error(ErrorCode::kUnavailable, "the answer was lost");
    }
    Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
      if (silent > 0 && silent-- > 0) return Error(ErrorCode::kUnavailable, "and so were those after it");
      return MemoryMetadataStore::Get(keys);
    }
    int silent = 0;
    bool lost = false;
  };
  for (const bool heard : {false, true}) {  // of the move, in another way, before it is made again
    const auto rows = std::make_shared<Rows>();
    RetentionFixture f(1, rows);
    f.options(0).retention_bytes = 0;
    f.SegmentOfNow(0);
    rows->lost = true;
    EXPECT_EQ(f.policy.RetainOnce(f).error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(f.Row(0).log_start, Offset(1));
    EXPECT_EQ(f.LogStart(0), Offset(0));
    EXPECT_EQ(f.policy.records_retired(), 0U);
    rows->lost = false;
    f.options(0).retention_bytes = 1'000'000;  // whatever the topic says by now: it may have happened
    if (heard) f.partitions[0]->OnRow(f.Row(0));
    EXPECT_EQ(*f.policy.RetainOnce(f), !heard);
    EXPECT_EQ(f.LogStart(0), Offset(1));
    EXPECT_EQ(f.policy.records_retired(), heard ? 0U : 1U);
    EXPECT_EQ(f.CallsOfALook(), 0U);
  }
}

TEST(RetentionPolicyTest, WhatIsKnownOfTheOldestSegmentHoldsOnlyWhileItIsTheOldest) {
  RetentionFixture f;
  f.options(0).retention_time = hours(1);
  f.SegmentOfNow(0);
  f.Segment(0, 60, f.clock.WallMs(), f.clock.WallMs() - milliseconds(hours(2)).count());
  EXPECT_FALSE(*f.policy.RetainOnce(f));  // the first one is not due, so the second stays
  f.partitions[0]->OnRow(*Catalog(*f.memory_rows).AdvanceLogStart(f.Key(0), LeaderEpoch(0), Offset(1), 1));
  EXPECT_TRUE(*f.policy.RetainOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(2));
}

TEST(RetentionPolicyTest, OnePartitionThatFailsStopsNoOtherAndIsTold) {
  RetentionFixture f(2);
  for (int i = 0; i < 2; ++i) {
    f.options(i).retention_bytes = 0;
    f.SegmentOfNow(i);
  }
  ASSERT_TRUE(Catalog(*f.memory_rows).AcquireEpoch(f.Key(0)));  // another owner's now
  for (int round = 0; round < 2; ++round) {
    const auto retained = f.policy.RetainOnce(f);
    ASSERT_FALSE(retained);
    EXPECT_EQ(retained.error().code(), ErrorCode::kFenced);
    EXPECT_EQ(f.LogStart(0), Offset(0));
    EXPECT_EQ(f.LogStart(1), Offset(1));
  }
  EXPECT_EQ(f.policy.records_retired(), 1U);
}

TEST(RetentionPolicyTest, OnlyTopicsThatForgetAreLookedAtAndNoneOnceTheCallerHasNoTime) {
  RetentionFixture f(2);
  for (int i = 0; i < 2; ++i) f.SegmentOfNow(i);
  EXPECT_EQ(f.CallsOfALook(), 0U);
  f.options(1).retention_bytes = 0;
  f.options(0).cleanup = Cleanup::kConsumed;
  f.partitions[0]->consumed = Offset(1);
  {
    std::stop_source stop;
    stop.request_stop();
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(f.CallsOfALook(), 0U);
    EXPECT_FALSE(*f.policy.ForgetConsumedOnce(f));
  }
  EXPECT_EQ(f.LogStart(0), Offset(0));
  EXPECT_EQ(f.CallsOfALook(), 2U + 4U);  // one partition's rows, and the move
  EXPECT_EQ(f.LogStart(0), Offset(0));
  EXPECT_EQ(f.LogStart(1), Offset(1));
}

TEST(RetentionPolicyTest, WhatIsConsumedGoesWhereTheTopicSaysSoAndNoFurtherThanIsDurable) {
  RetentionFixture f(2);
  for (int i = 0; i < 2; ++i) {
    for (int n = 0; n < 3; ++n) f.Append(i);
    f.partitions[static_cast<std::size_t>(i)]->consumed = Offset(2);
  }
  f.options(0).cleanup = Cleanup::kConsumed;
  EXPECT_TRUE(*f.policy.ForgetConsumedOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(2));
  EXPECT_EQ(f.LogStart(1), Offset(0));
  const std::uint64_t calls = f.metadata.calls();
  EXPECT_FALSE(*f.policy.ForgetConsumedOnce(f));
  EXPECT_EQ(f.metadata.calls(), calls + 1);  // there already: a look at the groups, and no more
  f.partitions[0]->consumed = Offset(9);
  EXPECT_TRUE(*f.policy.ForgetConsumedOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(3));
  f.options(1).cleanup = Cleanup::kConsumed;
  f.partitions[0]->consumed = Offset(3);
  ASSERT_TRUE(Catalog(*f.memory_rows).AcquireEpoch(f.Key(1)));
  EXPECT_EQ(f.policy.ForgetConsumedOnce(f).error().code(), ErrorCode::kFenced);
}

/// R26.
TEST(RetentionPolicyTest, GroupsKeepWhatTheyHaveNotCommittedAndAllIsKeptWhileTheyCannotBeRead) {
  RetentionFixture f(2);
  for (int i = 0; i < 2; ++i) {
    for (int n = 0; n < 3; ++n) f.Append(i);
    f.options(i).cleanup = Cleanup::kConsumed;
  }
  const auto commit = [&](int i, std::int64_t position) {
    const PositionRow row{.key = {"g", f.Key(i)}, .position = Offset(position), .metadata = ""};
    ASSERT_TRUE(Catalog(*f.memory_rows).CommitPositions({&row, 1}));
  };
  EXPECT_FALSE(*f.policy.ForgetConsumedOnce(f));  // nobody reads it
  commit(0, 2);
  f.metadata.FailCall(1, MetadataFault::kBefore);
  EXPECT_EQ(f.policy.ForgetConsumedOnce(f).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(f.LogStart(0), Offset(0));
  EXPECT_TRUE(*f.policy.ForgetConsumedOnce(f));
  EXPECT_EQ(f.LogStart(0), Offset(2));
  EXPECT_EQ(f.LogStart(1), Offset(0));  // the group reads the topic, and has not said how far here
  f.partitions[1]->consumed = Offset(3);
  EXPECT_FALSE(*f.policy.ForgetConsumedOnce(f));
  commit(1, 1);
  EXPECT_TRUE(*f.policy.ForgetConsumedOnce(f));
  EXPECT_EQ(f.LogStart(1), Offset(1));
}

TEST(RetentionPolicyTest, PartitionsThatAreGoneAreForgottenAndThoseThatAreThereAreNot) {
  RetentionFixture f(4);
  for (int i = 0; i < 4; ++i) {
    f.options(i).retention_time = hours(1);
    f.SegmentOfNow(i);
  }
  EXPECT_EQ(f.CallsOfALook(), 4 * 2U);
  std::vector<std::unique_ptr<TierPartition>> gone;
  for (; f.partitions.size() > 1; f.partitions.pop_back()) gone.push_back(std::move(f.partitions.back()));
  EXPECT_EQ(f.CallsOfALook(), 0U);
  EXPECT_EQ(f.CallsOfALook(), 0U);
  f.partitions.push_back(std::move(gone.back()));  // a namesake: nothing is known of it
  EXPECT_EQ(f.CallsOfALook(), 2U);
}

TEST(RetentionPolicyTest, LooksAreAsFrequentAsTheShortestTimeAsks) {
  TierFixture f(2);
  TopicOptions& first = f.partitions[0]->topic_options;
  TopicOptions& second = f.partitions[1]->topic_options;
  EXPECT_EQ(RetentionPolicy::Interval(f), std::nullopt);
  first.retention_bytes = 100;
  EXPECT_EQ(RetentionPolicy::Interval(f), minutes(5));
  first.retention_time = hours(24);
  EXPECT_EQ(RetentionPolicy::Interval(f), minutes(5));
  first.retention_time = minutes(4);
  EXPECT_EQ(RetentionPolicy::Interval(f), minutes(1));
  second.retention_time = seconds(8);
  EXPECT_EQ(RetentionPolicy::Interval(f), seconds(2));
  second.retention_time = milliseconds(1);
  EXPECT_EQ(RetentionPolicy::Interval(f), seconds(1));
  second = {.cleanup = Cleanup::kConsumed};
  EXPECT_EQ(RetentionPolicy::Interval(f), seconds(1));
}

}  // namespace
}  // namespace millrace
