// Goal: what had arrived in the store when a process died is linked and not put again; what does not go on from where
// the log stands is left alone. Method: objects made by hand under rows that are only prepared, real logs over a fake
// WAL, memory stores that fail when told to. Proves B86.
#include "tier/arrived_objects.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tier/offset_ceiling.h"
#include "tier/tier_fixture.h"

namespace millrace {
namespace {

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

struct ArrivedFixture : TierFixture {
  explicit ArrivedFixture(int count = 1) : TierFixture(count), partitions_(count) {
    for (int i = 0; i < count; ++i)
      for (int n = 0; n < 4; ++n) Append(i);
  }

  struct Range {
    int partition;
    std::int64_t base, end;
  };
  enum class Put { kArrives, kNever };
  /// As the process of before had it under way when it died.
  ObjectRow UnderWay(const std::vector<Range>& ranges, Put put = Put::kArrives) {
    const ObjectName name = claim.Begin().value();
    ObjectDirectory directory{.identity = StoredIdOf(claim.keys().identity()),
                              .generation = name.generation,
                              .nonce = name.nonce,
                              .sequence = name.sequence};
    directory.topics.push_back(
        {.uuid = StoredIdOf(""), .number = topic, .options = {.partitions = partitions_}, .name = "orders"});
    for (const Range& range : ranges)
      directory.entries.push_back({.partition = PartitionId(range.partition),
                                   .byte_begin = 100 * directory.entries.size(),
                                   .byte_size = 100,
                                   .base = Offset(range.base),
                                   .end = Offset(range.end),
                                   .records = static_cast<std::uint64_t>(range.end - range.base),
                                   .ceiling = CeilingOver(Offset(range.end))});
    const std::string body(100 * ranges.size(), 's');
    const std::vector<SharedBytes> pieces = {SharedBytes::Copy(AsBytes(body)),
                                             SharedBytes::Copy(EncodeObjectDirectory(directory))};
    const ObjectRow row{
        .id = ObjectIdOf(name), .key = claim.keys().Object(name), .size_bytes = pieces[0].size() + pieces[1].size()};
    EXPECT_TRUE(Catalog(*memory_rows).PrepareObject(row));
    if (put == Put::kArrives) EXPECT_TRUE(memory_objects->Put(row.key, pieces, PutMode::kOverwrite));
    return row;
  }
  Ranges RangesOf(int i) {
    Ranges ranges;
    for (const SegmentRow& row : Segments(i)) ranges.emplace_back(row.base.value(), row.end.value());
    return ranges;
  }
  std::optional<ObjectRow> Row(const ObjectRow& object) { return *Catalog(*memory_rows).FindObject(object.id); }

  const std::int32_t partitions_;
  /// Of the process that comes next.
  StoreClaim next{
      {.claims = false}, {"", "0123456789abcdef0123456789abcdef"}, *memory_objects, *memory_rows, clock, random};
  TrustedTime time{clock};
  ArrivedObjects arrived{next, objects, metadata, time};
};

TEST(ArrivedObjectsTest, AreLinkedOnce) {
  ArrivedFixture f(2);
  const ObjectRow first = f.UnderWay({{0, 0, 2}, {1, 0, 3}});
  f.UnderWay({{0, 2, 4}});
  const auto taken = f.arrived.TakeOnce(f);
  ASSERT_TRUE(taken) << taken.error().ToString();
  EXPECT_EQ(f.arrived.taken(), 2U);
  EXPECT_EQ(f.RangesOf(0), (Ranges{{0, 2}, {2, 4}}));
  EXPECT_EQ(f.RangesOf(1), (Ranges{{0, 3}}));
  for (int i = 0; i < 2; ++i) {
    const TierPartition& partition = *f.partitions[static_cast<std::size_t>(i)];
    EXPECT_EQ(partition.segments, f.Segments(i));  // it was told
    EXPECT_EQ(f.partitions[static_cast<std::size_t>(i)]->log().offsets().tiered_end, Offset(i == 0 ? 4 : 3));
  }
  EXPECT_EQ(f.Segments(1)[0].byte_begin, 100U);
  EXPECT_EQ(f.Segments(1)[0].object, first.id);
  EXPECT_EQ(f.Row(first)->segments, 2U);
  const std::uint64_t requests = f.objects.requests(), calls = f.metadata.calls();
  ASSERT_TRUE(f.arrived.TakeOnce(f));
  EXPECT_EQ(f.objects.requests(), requests);
  EXPECT_EQ(f.metadata.calls(), calls);
}

TEST(ArrivedObjectsTest, OfCopiesThoseAreTakenThatLeadFarthest) {
  ArrivedFixture f;
  const ObjectRow shorter = f.UnderWay({{0, 0, 1}});
  f.UnderWay({{0, 0, 2}});
  f.UnderWay({{0, 2, 4}});
  ASSERT_TRUE(f.arrived.TakeOnce(f));
  EXPECT_EQ(f.RangesOf(0), (Ranges{{0, 2}, {2, 4}}));
  EXPECT_EQ(f.Row(shorter)->state, ObjectState::kPrepared);  // the collector's
}

TEST(ArrivedObjectsTest, WhatDoesNotGoOnWhereTheLogStandsIsLeft) {
  for (const std::vector<ArrivedFixture::Range>& ranges :
       {std::vector<ArrivedFixture::Range>{{0, 2, 4}}, {{0, 0, 5}}, {{0, 0, 0x7fffffff}}}) {
    ArrivedFixture f;
    const ObjectRow object = f.UnderWay(ranges);
    ASSERT_TRUE(f.arrived.TakeOnce(f));
    EXPECT_EQ(f.RangesOf(0), Ranges()) << ranges[0].base << " " << ranges[0].end;
    EXPECT_EQ(f.Row(object)->state, ObjectState::kPrepared);
    EXPECT_EQ(f.arrived.taken(), 0U);
  }
}

TEST(ArrivedObjectsTest, OfAnObjectThatIsTakenInPartTheRestIsUploadedAgain) {
  ArrivedFixture f(2);
  const ObjectRow object = f.UnderWay({{0, 0, 2}, {1, 1, 3}});
  ASSERT_TRUE(f.arrived.TakeOnce(f));
  EXPECT_EQ(f.RangesOf(0), (Ranges{{0, 2}}));
  EXPECT_EQ(f.RangesOf(1), Ranges());
  EXPECT_EQ(f.Row(object)->segments, 1U);
}

TEST(ArrivedObjectsTest, WhatNeverCameOrIsDamagedKeepsNobodyWaiting) {
  ArrivedFixture f;
  f.UnderWay({{0, 0, 2}}, ArrivedFixture::Put::kNever);
  const ObjectRow cut = f.UnderWay({{0, 0, 3}});
  const SharedBytes half = f.memory_objects->Get(cut.key, {0, cut.size_bytes - 5}).value();
  ASSERT_TRUE(f.memory_objects->Put(cut.key, {&half, 1}, PutMode::kOverwrite));
  const auto taken = f.arrived.TakeOnce(f);
  ASSERT_TRUE(taken) << taken.error().ToString();
  EXPECT_EQ(f.RangesOf(0), Ranges());
}

TEST(ArrivedObjectsTest, AStoreThatIsAwayIsAskedAgain) {
  ArrivedFixture f;
  f.UnderWay({{0, 0, 2}});
  f.objects.SetPlan(ObjectFaultPlan{.code = ErrorCode::kUnavailable}.Set(ObjectFault::kErrorBefore, 1'000'000));
  const auto away = f.arrived.TakeOnce(f);
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code(), ErrorCode::kUnavailable);
  EXPECT_GE(f.objects.fired(ObjectFault::kErrorBefore), 1U);
  f.objects.SetPlan({});
  ASSERT_TRUE(f.arrived.TakeOnce(f));
  EXPECT_EQ(f.RangesOf(0), (Ranges{{0, 2}}));
}

TEST(ArrivedObjectsTest, ACommitOfUnknownOutcomeIsLookedUp) {
  for (const MetadataFault fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
    ArrivedFixture f;
    f.UnderWay({{0, 0, 2}});
    f.metadata.FailCommit(1, fault);
    ASSERT_TRUE(f.arrived.TakeOnce(f));
    EXPECT_EQ(f.metadata.fired(fault), 1U);
    EXPECT_EQ(f.RangesOf(0), (Ranges{{0, 2}}));
    EXPECT_EQ(f.partitions[0]->segments, f.Segments(0));
  }
}

TEST(ArrivedObjectsTest, WhatWasThereBeforeATakeoverWasJudgedByIt) {
  ArrivedFixture f;
  f.UnderWay({{0, 0, 2}});
  const std::vector<MetadataWrite> writes = {
      {MetadataWrite::Kind::kPut, StoreRow{.name = std::string(kTakenOverName), .number = 1}}};
  ASSERT_TRUE(f.memory_rows->Commit({}, writes).value());
  ASSERT_TRUE(f.arrived.TakeOnce(f));
  EXPECT_EQ(f.RangesOf(0), Ranges());
}

}  // namespace
}  // namespace millrace
