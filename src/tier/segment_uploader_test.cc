// One upload from claim to commit: what partitions, metadata and store hear of it, and what is left of it when a step
// fails. Method: real logs over a fake WAL, memory stores that fail when told to; one thread, the other flight or the
// other owner played by hand. Concerns S22, S28 and S30.
#include "tier/segment_uploader.h"

#include <gtest/gtest.h>

#include <array>

#include "log/log_fixture.h"
#include "meta/catalog.h"
#include "tier/claim_text.h"
#include "tier/object_tail.h"
#include "tier/offset_ceiling.h"
#include "tier/tier_fixture.h"

namespace millrace {
namespace {

struct UploaderFixture : TierFixture {
  explicit UploaderFixture(int count = 1) : TierFixture(count) {
    for (const auto& partition : partitions) {
      partition->schedule = &schedule();
      schedule().Add(partition->upload());
    }
  }
  UploadSchedule& schedule() { return uploader.schedule(); }
  PartitionUpload& upload(int i) { return partitions[static_cast<std::size_t>(i)]->upload(); }
  UploadSchedule::UploadState State(int i) { return schedule().State(upload(i)); }
  /// Everything is wanted, pauses are over, and one uploader looks once.
  Result<bool> Upload() {
    clock.Advance(std::chrono::minutes(1));
    std::vector<UploadDemand> demands;
    for (const auto& partition : partitions)
      demands.push_back({.upload = &partition->upload(), .end = partition->log().offsets().log_end});
    schedule().DemandAll(demands);
    return uploader.UploadOnce();
  }
  /// From now on requests of the store end with `code`; none: as usual.
  void FailObjects(std::optional<ErrorCode> code) {
    objects.SetPlan(code ? ObjectFaultPlan{.code = *code}.Set(ObjectFault::kErrorBefore, 1'000'000)
                         : ObjectFaultPlan{});
  }
  /// `act` runs while an object is on its way to the store.
  void DuringPut(std::function<void()> act) {
    at_request = std::move(act);
    objects.SetPlan(ObjectFaultPlan{.delay = std::chrono::nanoseconds(1)}.Set(ObjectFault::kDelay, 1'000'000));
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> Ranges(int i) {
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const SegmentRow& row : Segments(i)) ranges.emplace_back(row.base.value(), row.end.value());
    return ranges;
  }

  SegmentUploader uploader{{.schedule = {.segment_bytes_max = 100'000}, .codec = SegmentCodec::kNone},
                           wal,
                           claim,
                           objects,
                           metadata,
                           clock,
                           random};
};

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(SegmentUploaderTest, PartsShareAnObjectAndEachPartitionHearsOfItsOwnOnce) {
  for (int count = 1; count <= 4; ++count) {
    UploaderFixture f(count);
    for (int i = 0; i < count; ++i) f.Append(i, 100 * static_cast<std::size_t>(i + 1));
    const auto did = f.Upload();
    ASSERT_TRUE(did) << did.error().ToString();
    EXPECT_TRUE(*did);
    EXPECT_EQ(f.Stored(), 1U);
    std::uint64_t begin = 0;
    for (int i = 0; i < count; ++i) {
      const TierPartition& partition = *f.partitions[static_cast<std::size_t>(i)];
      ASSERT_EQ(partition.segments.size(), 1U) << i << " of " << count;
      const SegmentRow& segment = partition.segments[0];
      EXPECT_EQ(segment.partition, f.Key(i));
      EXPECT_EQ(segment.end, Offset(1));
      EXPECT_EQ(segment.byte_begin, begin);
      EXPECT_EQ(segment.committed_ms, f.clock.WallMs());
      begin += segment.byte_size;
      EXPECT_EQ(f.Segments(i), partition.segments);
      EXPECT_EQ(partition.rows, std::vector{f.Row(i)});
      EXPECT_EQ(f.State(i).committed_end, Offset(1));
    }
    EXPECT_GT(f.StoredObjects()[0].size_bytes, begin);  // its directory comes last
    EXPECT_EQ(f.uploader.objects(), 1U);
    EXPECT_EQ(f.uploader.bytes(), begin);
    EXPECT_FALSE(*f.uploader.UploadOnce());
  }
}

TEST(SegmentUploaderTest, ADamagedRangeIsCommittedAsAGapAndToldToThatUploadAllAlone) {
  UploaderFixture f;
  const WalPosition damaged = f.Append(0).wal_end;
  for (int i = 0; i < 2; ++i) f.Append(0);
  f.wal.Damage(damaged);
  const auto all = f.uploader.UploadAll(f);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), ErrorCode::kCorruption);
  EXPECT_NE(all.error().message().find("all but a damaged range"), std::string_view::npos) << all.error().ToString();
  EXPECT_EQ(f.Ranges(0), (Ranges{{0, 1}, {1, 2}, {2, 3}}));
  for (const SegmentRow& segment : f.Segments(0)) EXPECT_EQ(segment.is_gap(), segment.base == Offset(1));
  EXPECT_EQ(f.partitions[0]->segments, f.Segments(0));
  EXPECT_EQ(f.State(0).damages_ever, 1U);
  EXPECT_EQ(f.Stored(), 2U);
  f.Append(0);
  EXPECT_TRUE(f.uploader.UploadAll(f));
  EXPECT_EQ(f.State(0).committed_end, Offset(4));
}

TEST(SegmentUploaderTest, AGapNeedsNoStore) {
  UploaderFixture f(2);
  f.Append(0);
  f.Append(1);
  f.wal.Damage(WalPosition(0));  // all of partition 0
  f.FailObjects(ErrorCode::kUnavailable);
  EXPECT_EQ(f.Upload().error().code(), ErrorCode::kUnavailable);
  ASSERT_EQ(f.Segments(0).size(), 1U);
  EXPECT_TRUE(f.Segments(0)[0].is_gap());
  EXPECT_EQ(f.State(0).committed_end, Offset(1));
  EXPECT_EQ(f.State(0).damages_ever, 1U);
  EXPECT_EQ(f.State(0).failures_ever, 0U);
  EXPECT_EQ(f.State(1).committed_end, Offset(0));
  EXPECT_EQ(f.State(1).failures_ever, 1U);
}

TEST(SegmentUploaderTest, AFlightWhoseForerunnerFailsMeanwhileIsDroppedAndItsObjectGivenUp) {
  UploaderFixture f;
  f.Append(0);
  f.schedule().Demand(f.upload(0), Offset(1));
  const auto first = f.schedule().Claim();  // another uploader's
  ASSERT_EQ(first.size(), 1U);
  f.schedule().EndRound(std::array{UploadShare{first[0], Offset(1), first[0].bytes}});
  f.Append(0);
  f.DuringPut(
      [&] { f.schedule().Failed(first[0], Error(ErrorCode::kUnavailable, "down"), UploadSchedule::Outcome::kKnown); });
  const auto did = f.Upload();
  ASSERT_TRUE(did) << did.error().ToString();  // no fault of this upload
  EXPECT_TRUE(f.Segments(0).empty());
  EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 1U);
  EXPECT_EQ(f.State(0).failures_ever, 1U);
  f.DuringPut([] {});
  ASSERT_TRUE(f.Upload());
  EXPECT_EQ(f.Ranges(0), (Ranges{{0, 2}}));
}

TEST(SegmentUploaderTest, AFailedPutGivesTheObjectUpAndTakesTheRangeAgainUnderAnotherKey) {
  UploaderFixture f;
  f.Append(0);
  f.objects.FailRequest(1, ObjectFault::kErrorAfter);
  EXPECT_EQ(f.Upload().error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(f.Stored(), 1U);  // it arrived all the same
  EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 1U);
  EXPECT_EQ(f.State(0).refusals_ever, 0U);
  EXPECT_FALSE(*f.uploader.UploadOnce());  // a pause first
  ASSERT_TRUE(f.Upload());
  EXPECT_EQ(f.Stored(), 2U);
  EXPECT_EQ(f.ObjectsIn(ObjectState::kCommitted), 1U);
  EXPECT_EQ(f.Ranges(0), (Ranges{{0, 1}}));
  EXPECT_EQ(f.uploader.objects(), 1U);
}

TEST(SegmentUploaderTest, WhatTheStoreWouldSayAgainIsARefusalAndWhatMayPassIsNot) {
  for (const auto& [code, refused] : {std::pair(ErrorCode::kPermissionDenied, true),
                                      {ErrorCode::kInvalidArgument, true},
                                      {ErrorCode::kUnavailable, false},
                                      {ErrorCode::kTimeout, false},
                                      {ErrorCode::kOutOfSpace, false},
                                      {ErrorCode::kClosed, false}}) {
    UploaderFixture f;
    f.Append(0);
    f.FailObjects(code);
    EXPECT_EQ(f.Upload().error().code(), code);
    EXPECT_EQ(f.State(0).refusals_ever, refused ? 1U : 0U) << ErrorCodeName(code);
    EXPECT_EQ(f.State(0).failures_ever, 1U);
  }
}

TEST(SegmentUploaderTest, AnObjectThatWasNotPreparedIsNotPut) {
  UploaderFixture f;
  f.Append(0);
  f.metadata.SetPlan({.before_per_million = 1'000'000});
  EXPECT_EQ(f.Upload().error().code(), ErrorCode::kUnavailable);
  f.metadata.SetPlan({});
  EXPECT_EQ(f.objects.requests(), 0U);
  EXPECT_EQ(f.State(0).failures_ever, 1U);
  ASSERT_TRUE(f.Upload());
  EXPECT_EQ(f.Ranges(0), (Ranges{{0, 1}}));
}

TEST(SegmentUploaderTest, AfterACommitNobodyKnowsOfMetadataIsAskedBeforeAnythingIsTaken) {
  for (const bool more : {false, true}) {
    UploaderFixture f;
    f.Append(0);
    f.DuringPut([&] {
      f.metadata.SetPlan({.silent_once_fired = true});
      f.metadata.FailCommit(1, MetadataFault::kAfter);  // and the look-up
    });
    EXPECT_EQ(f.Upload().error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(f.Ranges(0), (Ranges{{0, 1}}));
    EXPECT_EQ(f.State(0).committed_end, Offset(0));
    EXPECT_TRUE(f.partitions[0]->segments.empty());
    EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 0U);  // it may be committed
    f.DuringPut([] {});
    EXPECT_EQ(f.Upload().error().code(), ErrorCode::kUnavailable);  // still no metadata to ask
    EXPECT_EQ(f.Stored(), 1U);
    f.metadata.SetPlan({});
    if (more) f.Append(0);
    ASSERT_TRUE(f.Upload());
    EXPECT_EQ(f.Stored(), more ? 2U : 1U);
    EXPECT_EQ(f.Ranges(0), more ? (Ranges{{0, 1}, {1, 2}}) : (Ranges{{0, 1}}));
    EXPECT_EQ(f.partitions[0]->segments, f.Segments(0));
    EXPECT_EQ(f.State(0).committed_end, Offset(more ? 2 : 1));
    EXPECT_FALSE(*f.Upload());
  }
}

TEST(SegmentUploaderTest, APartitionWithAnotherOwnerEndsAndTheOthersAreCommitted) {
  UploaderFixture f(3);
  for (int i = 0; i < 3; ++i) f.Append(i);
  ASSERT_TRUE(Catalog(*f.memory_rows).AcquireEpoch(f.Key(1)));
  const auto did = f.Upload();
  ASSERT_TRUE(did) << did.error().ToString();
  EXPECT_TRUE(f.Segments(1).empty());
  for (const int i : {0, 2}) {
    ASSERT_EQ(f.Segments(i).size(), 1U);
    const SegmentRow segment = f.Segments(i)[0];
    EXPECT_EQ(segment.byte_begin, i == 0 ? 0 : 2 * segment.byte_size);  // the lost part stays in the object
    EXPECT_FALSE(f.State(i).ended);
  }
  ASSERT_TRUE(f.State(1).ended);
  EXPECT_EQ(f.State(1).ended->code(), ErrorCode::kFenced);
  Buffer batch = TestBatch();
  EXPECT_EQ(f.partitions[1]->log().TryAppend(batch).error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(f.schedule().AwaitIdle(std::chrono::nanoseconds(0)));  // its flight is over too
  const auto all = f.uploader.UploadAll(f);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), ErrorCode::kFenced);
}

TEST(SegmentUploaderTest, WhileNobodyCanSayWhoseAPartitionItsUploadFailsAndGoesOn) {
  UploaderFixture f;
  f.Append(0);
  f.DuringPut([&] {
    ASSERT_TRUE(Catalog(*f.memory_rows).AcquireEpoch(f.Key(0)));
    f.metadata.FailCall(2, MetadataFault::kBefore);  // behind the commit: who owns it?
  });
  EXPECT_EQ(f.Upload().error().code(), ErrorCode::kFenced);
  EXPECT_EQ(f.State(0).failures_ever, 1U);
  EXPECT_FALSE(f.State(0).ended);
  EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 1U);
  f.DuringPut([] {});
  ASSERT_TRUE(f.Upload());
  ASSERT_TRUE(f.State(0).ended);
  EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 2U);
}

TEST(SegmentUploaderTest, AnObjectThatNobodyWantsAnyMoreIsGivenUp) {
  UploaderFixture f;
  f.Append(0);
  f.DuringPut([&] { ASSERT_TRUE(Catalog(*f.memory_rows).DeleteTopic(f.topic, 1)); });
  EXPECT_EQ(f.Upload().error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(f.ObjectsIn(ObjectState::kDeleting), 1U);
  f.schedule().EndUpload(f.upload(0), Error(ErrorCode::kNotFound, "deleted"));
  EXPECT_TRUE(f.uploader.UploadAll(f));  // nothing is owed to a topic that is gone
}

TEST(SegmentUploaderTest, WhatAllCursorsHaveConsumedIsNotUploaded) {
  UploaderFixture f(2);
  for (int i = 0; i < 4; ++i) f.Append(i % 2);
  for (const auto& partition : f.partitions) partition->topic_options.cleanup = Cleanup::kConsumed;
  f.partitions[0]->consumed = Offset(2);
  f.partitions[1]->consumed = Offset(1);
  ASSERT_TRUE(f.Upload());
  EXPECT_TRUE(f.Segments(0).empty());
  EXPECT_EQ(f.Row(0).log_start, Offset(2));
  EXPECT_EQ(f.State(0).committed_end, Offset(2));
  EXPECT_EQ(f.Ranges(1), (Ranges{{1, 2}}));
  EXPECT_EQ(f.State(0).failures_ever + f.State(1).failures_ever, 0U);
  EXPECT_TRUE(f.schedule().AwaitIdle(std::chrono::nanoseconds(0)));
}

/// R26.
TEST(SegmentUploaderTest, WhatAGroupHasNotCommittedIsUploadedThoughAllCursorsHavePassedIt) {
  UploaderFixture f;
  for (int i = 0; i < 3; ++i) f.Append(0);
  f.partitions[0]->topic_options.cleanup = Cleanup::kConsumed;
  f.partitions[0]->consumed = Offset(3);
  const PositionRow row{.key = {"g", f.Key(0)}, .position = Offset(1), .metadata = ""};
  ASSERT_TRUE(Catalog(*f.memory_rows).CommitPositions({&row, 1}));
  ASSERT_TRUE(f.Upload());
  EXPECT_EQ(f.Ranges(0), (Ranges{{1, 3}}));
  EXPECT_EQ(f.Row(0).log_start, Offset(1));
}

/// R26.
TEST(SegmentUploaderTest, WhileGroupsCannotBeReadNothingIsForgottenAndEverythingUploaded) {
  UploaderFixture f;
  for (int i = 0; i < 3; ++i) f.Append(0);
  f.partitions[0]->topic_options.cleanup = Cleanup::kConsumed;
  f.partitions[0]->consumed = Offset(3);
  f.metadata.FailCall(1, MetadataFault::kBefore);  // the look at the groups
  ASSERT_TRUE(f.Upload());
  EXPECT_EQ(f.metadata.fired(MetadataFault::kBefore), 1U);
  EXPECT_EQ(f.Ranges(0), (Ranges{{0, 3}}));
  EXPECT_EQ(f.Row(0).log_start, Offset(0));
}

TEST(SegmentUploaderTest, UploadAllEndsWithWhatFailedThreeTimesOrWasRefused) {
  for (const auto& [code, failures] : {std::pair(ErrorCode::kUnavailable, 3U), {ErrorCode::kPermissionDenied, 1U}}) {
    UploaderFixture f;
    f.Append(0);
    f.FailObjects(code);
    f.schedule().SetListener([&](const PartitionUpload&, const Error*) { f.clock.Advance(std::chrono::minutes(1)); });
    EXPECT_EQ(f.uploader.UploadAll(f).error().code(), code);
    EXPECT_EQ(f.State(0).failures_ever, failures);
    f.FailObjects({});
    EXPECT_TRUE(f.uploader.UploadAll(f));  // what failed before is no news
    EXPECT_EQ(f.Ranges(0), (Ranges{{0, 1}}));
  }
}

TEST(SegmentUploaderTest, AnObjectSaysWhatIsInIt) {
  UploaderFixture f(2);
  for (int i = 0; i < 2; ++i) f.Append(i);
  f.Append(1);
  ASSERT_TRUE(f.Upload());
  const ObjectDescription stored = f.StoredObjects().at(0);
  const auto directory = ReadObjectDirectory(*f.memory_objects, stored.key, stored.size_bytes);
  ASSERT_TRUE(directory && *directory) << stored.key;
  const auto name = f.claim.keys().ObjectIn(stored.key);
  ASSERT_TRUE(name);
  EXPECT_EQ((**directory).generation, f.claim.generation().number);
  EXPECT_EQ((**directory).nonce, name->nonce);
  EXPECT_EQ((**directory).sequence, name->sequence);
  EXPECT_EQ(TextOf((**directory).identity), f.claim.keys().identity());
  ASSERT_EQ((**directory).topics.size(), 1U);
  EXPECT_EQ((**directory).topics[0].name, "orders");
  EXPECT_EQ((**directory).topics[0].number, f.topic);
  EXPECT_EQ((**directory).topics[0].options.partitions, 2);
  ASSERT_EQ((**directory).entries.size(), 2U);
  for (int i = 0; i < 2; ++i) {
    const ObjectEntry& entry = (**directory).entries[static_cast<std::size_t>(i)];
    const SegmentRow row = f.Segments(i).at(0);
    EXPECT_EQ(entry.partition, row.partition.partition);
    EXPECT_EQ(std::pair(entry.base, entry.end), std::pair(row.base, row.end));
    EXPECT_EQ(std::pair(entry.byte_begin, entry.byte_size), std::pair(row.byte_begin, row.byte_size));
    EXPECT_EQ(entry.records, row.records);
    EXPECT_EQ(entry.ceiling, CeilingOver(row.end));
  }
}

TEST(SegmentUploaderTest, NothingIsCommittedThatIsNotProven) {
  UploaderFixture f;
  MemoryMetadataStore claims;
  StoreClaim claim({.host = "one"}, f.claim.keys(), *f.memory_objects, claims, f.clock, f.random);
  SegmentUploader uploader({.codec = SegmentCodec::kNone}, f.wal, claim, f.objects, f.metadata, f.clock, f.random);
  TierPartition partition(f.Row(0), f.wal, f.tail_cache, f.clock);
  partition.schedule = &uploader.schedule();
  uploader.schedule().Add(partition.upload());
  // Somebody takes the log over while the object is on its way.
  f.DuringPut([&] {
    const Generation held = claim.generation();
    const std::string text = Encode(ClaimText{.identity = claim.keys().identity(),
                                              .generation = held.number + 1,
                                              .nonce = 7,
                                              .how = ClaimText::How::kTakesOver,
                                              .nonce_before = held.nonce,
                                              .host = "another",
                                              .at_ms = f.clock.WallMs()});
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    (void)f.memory_objects->Put(claim.keys().Claim(held.number + 1), {&bytes, 1}, PutMode::kIfAbsent);
  });
  Buffer batch = TestBatch(1, 100, f.clock.WallMs());
  ASSERT_TRUE(partition.log().TryAppend(batch));
  ASSERT_TRUE(partition.log().Sync({}));
  uploader.schedule().OnAppend(partition.upload(), 100);
  uploader.schedule().Demand(partition.upload(), Offset(1));
  const auto uploaded = uploader.UploadOnce();
  ASSERT_FALSE(uploaded);
  EXPECT_EQ(uploaded.error().code(), ErrorCode::kFenced) << uploaded.error().ToString();
  EXPECT_EQ(f.Stored(), 1U);  // it arrived; who took over may use it
  EXPECT_TRUE(f.Segments(0).empty());
  EXPECT_TRUE(claim.is_fenced());
}

}  // namespace
}  // namespace millrace
