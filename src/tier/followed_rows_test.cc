// Goal: rows of a log that is followed are what its objects say at every moment, and a reader always finds segments
// that follow each other. Method: snapshots and directories made by hand, over a memory store. Proves B93.
#include "tier/followed_rows.h"

#include <gtest/gtest.h>

#include "meta/memory_metadata_store.h"
#include "meta/segment_catalog.h"
#include "meta/topic_catalog.h"
#include "meta/topic_rules.h"

namespace millrace {
namespace {

constexpr PartitionKey kKey{TopicId(1), PartitionId(0)};

FoundObject Object(std::uint64_t sequence, std::int64_t base, std::int64_t end, std::uint64_t settled,
                   const std::string& name = "t", std::int64_t topic = 1, std::int64_t log_start = 0) {
  FoundObject object{
      .name = {1, 1, sequence}, .key = "key" + std::to_string(sequence), .size_bytes = 100, .directory = {}};
  object.directory.settled = settled;
  object.directory.topics.push_back({.uuid = StoredIdOf(name + "uuid"),
                                     .number = TopicId(topic),
                                     .created_ms = 5,
                                     .options = {.partitions = 1},
                                     .name = name});
  object.directory.entries.push_back({.topic = 0,
                                      .partition = PartitionId(0),
                                      .epoch = LeaderEpoch(0),
                                      .byte_size = base == end ? 0U : 10U,
                                      .base = Offset(base),
                                      .end = Offset(end),
                                      .records = static_cast<std::uint64_t>(end - base),
                                      .log_start = Offset(log_start),
                                      .ceiling = Offset(0)});
  return object;
}

class FollowedRowsTest : public ::testing::Test {
 protected:
  std::vector<FollowedChange> Take(const std::vector<FoundObject>& objects, bool afresh = false) {
    for (const FoundObject& object : objects) catalog_.TakeObject(object);
    FollowedNews news = catalog_.Link();
    news.afresh = afresh;
    const auto written = rows_.Write(news);
    EXPECT_TRUE(written);
    EXPECT_TRUE(rows_.Tidy(news));
    return written.value_or(std::vector<FollowedChange>());
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> Ranges(const PartitionKey& key = kKey) {
    const auto segments = SegmentCatalog(store_).Segments(key, Offset(0), 100);
    EXPECT_TRUE(segments) << (segments ? "" : segments.error().ToString());
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const SegmentRow& row : segments.value_or(std::vector<SegmentRow>())) {
      ranges.emplace_back(row.base.value(), row.end.value());
      if (!row.is_gap()) EXPECT_TRUE(SegmentCatalog(store_).FindObject(row.object)->has_value());
    }
    return ranges;
  }
  using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

  MemoryMetadataStore store_;
  FollowedCatalog catalog_;
  FollowedRows rows_{store_};
};

TEST_F(FollowedRowsTest, WhatFollowsIsAdded) {
  Take({Object(0, 0, 10, 0)});
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}}));
  const auto changes = Take({Object(1, 10, 15, 1), Object(2, 15, 20, 1)});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_FALSE(changes[0].replaced);
  EXPECT_EQ(changes[0].added.size(), 2U);
  EXPECT_EQ(changes[0].row.tiered_end, Offset(20));
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}, {10, 15}, {15, 20}}));
  EXPECT_EQ(TopicCatalog(store_).Partitions(TopicId(1))->at(0).segments, 3U);
}

TEST_F(FollowedRowsTest, AnAttemptThatWasGivenUpMakesWayForTheOneThatGoesOn) {
  Take({Object(0, 0, 10, 0), Object(1, 10, 20, 0)});
  const auto changes = Take({Object(2, 10, 25, 2), Object(3, 25, 30, 2)});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(changes[0].replaced);
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}, {10, 25}, {25, 30}}));
}

TEST_F(FollowedRowsTest, ALaterObjectWaitsForTheOneBeforeIt) {
  Take({Object(0, 0, 10, 0), Object(2, 20, 30, 0)});
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}}));
  Take({Object(1, 10, 20, 0)});
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}, {10, 20}, {20, 30}}));
}

TEST_F(FollowedRowsTest, WhatWasTrimmedIsGone) {
  Take({Object(0, 0, 10, 0), Object(1, 10, 20, 0)});
  Take({Object(2, 20, 30, 1, "t", 1, 15)});
  EXPECT_EQ(Ranges(), (Pairs{{10, 20}, {20, 30}}));
  EXPECT_EQ(TopicCatalog(store_).Partitions(TopicId(1))->at(0).log_start, Offset(15));
  Take({Object(3, 100, 110, 3, "t", 1, 100)});  // consumed, and never uploaded
  EXPECT_EQ(Ranges(), (Pairs{{100, 110}}));
}

TEST_F(FollowedRowsTest, ATopicThatWasMadeAnewTakesTheName) {
  Take({Object(0, 0, 10, 0), Object(1, 0, 5, 0, "other", 2)});
  Take({Object(2, 0, 7, 0, "t", 3)});
  const auto topics = TopicCatalog(store_).Topics();
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ(topics->at(0).name, "other");
  EXPECT_EQ(topics->at(1).id, TopicId(3));
  Take({Object(3, 10, 20, 0)});  // of the earlier one: late
  EXPECT_EQ(TopicCatalog(store_).Topics()->size(), 2U);
  EXPECT_EQ(Ranges({TopicId(3), PartitionId(0)}), (Pairs{{0, 7}}));
}

TEST_F(FollowedRowsTest, SettingsAreThoseThatWereToldLast) {
  const auto told = [&](std::uint64_t sequence, std::int64_t written_ms, std::uint64_t retention_bytes) {
    const auto base = static_cast<std::int64_t>(10 * sequence);
    FoundObject object = Object(sequence, base, base + 10, 0);
    object.directory.written_ms = written_ms;
    object.directory.topics[0].options.retention_bytes = retention_bytes;
    return object;
  };
  const auto retention = [&] { return TopicCatalog(store_).Topics()->at(0).options.retention_bytes; };
  Take({told(0, 50, 11), told(2, 60, 33)});
  EXPECT_EQ(retention(), 33U);
  Take({told(1, 55, 22)});  // it arrives last, and was described before the other
  EXPECT_EQ(retention(), 33U);
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}, {10, 20}, {20, 30}}));
}

TEST_F(FollowedRowsTest, AnEndThatWasShownIsNotTakenBack) {
  Take({Object(0, 0, 10, 0), Object(1, 10, 20, 0)});
  catalog_ = {};
  const auto changes = Take({Object(0, 0, 10, 0)}, true);
  EXPECT_TRUE(changes.empty());
  ASSERT_TRUE(rows_.shrunk());
  EXPECT_EQ(rows_.shrunk()->code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}, {10, 20}}));
}

TEST_F(FollowedRowsTest, ASnapshotWhoseRowsWereReadWhileTheyChangedIsMended) {
  Snapshot snapshot;
  snapshot.head.generation = snapshot.head.nonce = 1;
  snapshot.store.push_back({.name = std::string(kNextTopicName), .number = 2, .text = {}});
  snapshot.topics.push_back(
      {.id = TopicId(1), .uuid = TextOf(StoredIdOf("tuuid")), .name = "t", .options = {}, .created_ms = 5});
  snapshot.topics.push_back({.id = TopicId(2), .uuid = "x", .name = "deleted", .options = {}, .created_ms = 5});
  snapshot.partitions.push_back({.key = kKey, .epoch = {}, .log_start = Offset(0), .tiered_end = Offset(20)});
  // Grew behind the row, and was trimmed meanwhile: object 1 has gone.
  for (std::uint8_t number : {1, 2, 3}) {
    snapshot.segments.push_back({.partition = kKey,
                                 .base = Offset(10 * number - 10),
                                 .end = Offset(10 * number),
                                 .object = {number},
                                 .byte_size = 5});
    if (number > 1) snapshot.objects.push_back({.id = {number}, .key = "k", .size_bytes = 5});
  }
  FollowedNews before = catalog_.TakeSnapshot(snapshot);
  ASSERT_EQ(before.partitions.size(), 1U);
  EXPECT_EQ(before.partitions[0].row.log_start, Offset(10));
  EXPECT_EQ(before.partitions[0].row.tiered_end, Offset(30));
  EXPECT_EQ(before.objects.size(), 2U);
  catalog_.TakeObject(Object(7, 30, 40, 0));
  catalog_.TakeObject(Object(8, 0, 5, 0, "deleted", 2));  // before the snapshot was begun
  const FollowedNews news = catalog_.Link();
  ASSERT_EQ(news.topics.size(), 1U);
  ASSERT_EQ(news.partitions.size(), 1U);
  EXPECT_EQ(news.partitions[0].row.tiered_end, Offset(40));
  EXPECT_EQ(news.partitions[0].from, Offset(30));
}

}  // namespace
}  // namespace millrace
