// Goal: each rule expects the rows it rests on, writes what it says and refuses what it must, with no store at all.
// Method: rows in, transition out. What whole calls do over every store: metadata_conformance_test.cc.
#include <gtest/gtest.h>

#include "meta/committed_offsets.h"
#include "meta/segment_rules.h"
#include "meta/topic_rules.h"

namespace millrace {
namespace {

using Kind = MetadataWrite::Kind;

const PartitionKey kKey{TopicId(1), PartitionId(0)};

PartitionRow Partition(std::int64_t log_start, std::int64_t tiered_end, std::uint64_t segments = 0) {
  return {kKey, LeaderEpoch(2), Offset(log_start), Offset(tiered_end), segments, segments * 10};
}
SegmentRow Segment(std::int64_t base, std::int64_t end, std::uint8_t object = 1) {
  SegmentRow row;
  row.partition = kKey;
  row.base = Offset(base);
  row.end = Offset(end);
  row.object = {object};
  row.byte_size = 10;
  return row;
}
ObjectRow Object(std::uint8_t id, ObjectState state, std::uint64_t segments = 0) {
  return {{id}, "key", 100, state, 5, segments};
}
/// Writes as "insert 3 put 1", by the row's table.
std::string Shape(const Transition& transition) {
  std::string text;
  for (const MetadataWrite& write : transition.writes) {
    text += write.kind == Kind::kInsert ? "insert " : write.kind == Kind::kPut ? "put " : "erase ";
    text += std::to_string(write.row.index()) + " ";
  }
  return text;
}
template <class Row>
Row Written(const Transition& transition) {
  Row found{};
  for (const MetadataWrite& write : transition.writes)
    if (const Row* row = std::get_if<Row>(&write.row)) found = *row;
  return found;
}

TEST(TopicRulesTest, ANewTopicTakesTheNextIdAndRestsOnIt) {
  TopicRow topic{TopicId(0), "", "t", {.partitions = 2}, 0};
  const auto first = CreateTopicRule(std::nullopt, topic);
  ASSERT_TRUE(first);
  EXPECT_EQ(topic.id, TopicId(1));
  EXPECT_TRUE(first->expected.empty());
  EXPECT_EQ(Shape(*first), "insert 0 insert 1 insert 2 insert 2 ");
  const StoreRow last{std::string(kNextTopicName), 41, ""};
  const auto next = CreateTopicRule(last, topic);
  EXPECT_EQ(topic.id, TopicId(42));
  EXPECT_EQ(next->expected, std::vector<MetadataRow>{last});
  EXPECT_EQ(Shape(*next), "put 0 insert 1 insert 2 insert 2 ");
  EXPECT_EQ(Written<StoreRow>(*next).number, 42);
}

TEST(TopicRulesTest, ADeletionRestsOnThePartitionsOnlyIfItIsWhole) {
  const TopicRow topic{TopicId(1), "", "t", {}, 0};
  const PartitionRow partition = Partition(0, 10, 1);
  TopicRemains remains{{Segment(0, 10)}, {Object(1, ObjectState::kCommitted, 1)}, {}, {}, true};
  const auto whole = DeleteTopicRule(topic, {&partition, 1}, remains, 9);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->expected, (std::vector<MetadataRow>{topic, partition, remains.objects[0]}));
  EXPECT_EQ(Shape(*whole), "erase 1 erase 2 erase 4 put 3 ");
  EXPECT_EQ(Written<ObjectRow>(*whole), (ObjectRow{{1}, "key", 100, ObjectState::kDeleting, 9, 0}));
  remains.all = false;
  const auto part = DeleteTopicRule(topic, {&partition, 1}, remains, 9);
  EXPECT_EQ(part->expected, (std::vector<MetadataRow>{topic, remains.objects[0]}));
  EXPECT_EQ(Shape(*part), "erase 1 erase 2 erase 4 put 3 insert 6 ");
  remains.objects.clear();
  EXPECT_EQ(DeleteTopicRule(topic, {&partition, 1}, remains, 9).error().code(), ErrorCode::kCorruption);
}

EpochGround Ground(std::int64_t log_start, std::int64_t log_end, std::vector<EpochRow> epochs) {
  return {.partition = Partition(log_start, log_start), .epochs = std::move(epochs), .log_end = Offset(log_end)};
}
EpochRow Epoch(std::int32_t epoch, std::int64_t first) { return {kKey, LeaderEpoch(epoch), Offset(first)}; }

TEST(TopicRulesTest, ARaisedEpochBeginsAtTheEndOfTheLogAndRestsOnItsPartition) {
  Transition to;
  EpochGround ground = Ground(0, 100, {Epoch(1, 10), Epoch(2, 40)});
  const PartitionRow before = ground.partition;
  RaiseEpochRule(to, ground);
  EXPECT_EQ(to.expected, std::vector<MetadataRow>{before});
  EXPECT_EQ(Shape(to), "put 2 insert 7 ");
  EXPECT_EQ(Written<PartitionRow>(to).epoch, LeaderEpoch(3));
  EXPECT_EQ(ground.partition, Written<PartitionRow>(to));
  EXPECT_EQ(ground.epochs, (std::vector{Epoch(1, 10), Epoch(2, 40), Epoch(3, 100)}));
}

TEST(TopicRulesTest, EpochsWithoutARecordGoWhenTheNextBegins) {
  Transition to;
  EpochGround lost = Ground(0, 40, {Epoch(0, 10), Epoch(1, 40), Epoch(2, 55)});
  RaiseEpochRule(to, lost);
  EXPECT_EQ(Shape(to), "erase 7 erase 7 put 2 insert 7 ");
  EXPECT_EQ(lost.epochs, (std::vector{Epoch(0, 10), Epoch(3, 40)})) << "none began where none of its records is";
  EpochGround retired = Ground(60, 80, {Epoch(0, 10), Epoch(1, 40), Epoch(2, 60)});
  RaiseEpochRule(to, retired);
  EXPECT_EQ(retired.epochs, (std::vector{Epoch(2, 60), Epoch(3, 80)})) << "but the last that ends above log_start";
  EpochGround all = Ground(80, 80, {Epoch(2, 60)});
  RaiseEpochRule(to, all);
  EXPECT_EQ(all.epochs, std::vector{Epoch(3, 80)});
}

TEST(TopicRulesTest, ARaisedEpochIsAboveAllThatEverWere) {
  Transition to;
  EpochGround rows = Ground(0, 100, {Epoch(7, 10)});  // a row says more than the partition
  RaiseEpochRule(to, rows);
  EXPECT_EQ(rows.partition.epoch, LeaderEpoch(8));
  EpochGround seen = Ground(0, 100, {});
  seen.seen = LeaderEpoch(11);  // a batch says more than metadata
  RaiseEpochRule(to, seen);
  EXPECT_EQ(seen.partition.epoch, LeaderEpoch(12));
}

TEST(TopicRulesTest, ABlockOfProducersIdsRestsOnTheLastOneAndNamesWhoTookIt) {
  std::int64_t block = -1;
  const auto first = TakeProducerBlockRule(std::nullopt, "one", block);
  ASSERT_TRUE(first);
  EXPECT_EQ(block, 0);
  EXPECT_EQ(Shape(*first), "insert 0 ");
  const StoreRow taken = Written<StoreRow>(*first);
  EXPECT_EQ(taken.text, "one") << "another's commit of the same number is not this one";
  const auto next = TakeProducerBlockRule(taken, "other", block);
  EXPECT_EQ(block, 1);
  EXPECT_EQ(next->expected, std::vector<MetadataRow>{taken});
  EXPECT_EQ(Written<StoreRow>(*next), (StoreRow{taken.name, 2, "other"}));
  const StoreRow last{taken.name, kProducerBlocks, "x"};
  EXPECT_EQ(TakeProducerBlockRule(last, "y", block).error().code(), ErrorCode::kOutOfSpace);
}

TEST(SegmentRulesTest, ACommitRestsOnItsObjectAndEveryPartitionOnce) {
  const ObjectRow object = Object(1, ObjectState::kPrepared);
  const CommitGround ground{object, {Partition(0, 10, 1)}, {}};
  const SegmentCommit commits[] = {{Segment(10, 12), LeaderEpoch(2)}, {Segment(12, 20), LeaderEpoch(2)}};
  const auto done = CommitSegmentsRule(ground, object, commits);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->expected, (std::vector<MetadataRow>{object, Partition(0, 10, 1)}));
  EXPECT_EQ(Shape(*done), "put 2 put 4 put 4 put 3 ");
  EXPECT_EQ(Written<PartitionRow>(*done), Partition(0, 20, 3));
  EXPECT_EQ(Written<ObjectRow>(*done).segments, 2u);
  EXPECT_EQ(Written<ObjectRow>(*done).state, ObjectState::kCommitted);
  const auto code = [&](CommitGround changed) { return CommitSegmentsRule(changed, object, commits).error().code(); };
  EXPECT_EQ(code({object, {}, {}}), ErrorCode::kNotFound);
  EXPECT_EQ(code({std::nullopt, ground.partitions, {}}), ErrorCode::kNotFound);
  EXPECT_EQ(code({Object(1, ObjectState::kDeleting), ground.partitions, {}}), ErrorCode::kNotFound);
  EXPECT_EQ(code({object, {Partition(0, 11)}, {}}), ErrorCode::kOutOfRange);
  PartitionRow taken = Partition(0, 10);
  taken.epoch = LeaderEpoch(3);
  EXPECT_EQ(code({object, {taken}, {}}), ErrorCode::kFenced);
  EXPECT_TRUE(CommitSegmentsRule({Object(1, ObjectState::kCommitted, 2), {}, {}}, object, commits)->writes.empty());
}

TEST(SegmentRulesTest, GapsAreKnownByTheirRows) {
  SegmentRow gap = Segment(10, 12);
  gap.object = {};
  gap.byte_size = 0;
  const SegmentCommit commit{gap, LeaderEpoch(2)};
  EXPECT_TRUE(CommitSegmentsRule({{}, {Partition(0, 12)}, {gap}}, {}, {&commit, 1})->writes.empty());
  EXPECT_EQ(Shape(*CommitSegmentsRule({{}, {Partition(0, 10)}, {}}, {}, {&commit, 1})), "put 2 put 4 ");
  // A segment, or another gap, that ends there is not it.
  EXPECT_FALSE(CommitSegmentsRule({{}, {Partition(0, 12)}, {Segment(10, 12)}}, {}, {&commit, 1}));
  SegmentRow longer = gap;
  longer.base = Offset(9);
  EXPECT_FALSE(CommitSegmentsRule({{}, {Partition(0, 12)}, {longer}}, {}, {&commit, 1}));
}

TEST(SegmentRulesTest, TheLogStartMovesAsFarAsThePageReaches) {
  const ObjectRow object = Object(1, ObjectState::kCommitted, 3);
  const SegmentRow page[] = {Segment(0, 5), Segment(5, 10)};
  PartitionRow row = Partition(0, 30, 3);
  const auto part = AdvanceLogStartRule(row, LeaderEpoch(2), Offset(25), page, 2, {&object, 1}, 9);
  ASSERT_TRUE(part);
  EXPECT_EQ(row, Partition(10, 30, 1));
  EXPECT_EQ(part->expected, (std::vector<MetadataRow>{Partition(0, 30, 3), object}));
  EXPECT_EQ(Written<ObjectRow>(*part), Object(1, ObjectState::kCommitted, 1));
  row = Partition(0, 30, 3);
  ASSERT_TRUE(AdvanceLogStartRule(row, LeaderEpoch(2), Offset(25), page, 3, {&object, 1}, 9));
  EXPECT_EQ(row, Partition(25, 30, 1));
  EXPECT_TRUE(AdvanceLogStartRule(row, LeaderEpoch(2), Offset(7), {}, 3, {}, 9)->writes.empty());
  EXPECT_EQ(AdvanceLogStartRule(row, LeaderEpoch(1), Offset(27), {}, 3, {}, 9).error().code(), ErrorCode::kFenced);
  ASSERT_TRUE(AdvanceLogStartRule(row, LeaderEpoch(2), Offset(40), {}, 3, {}, 9));
  EXPECT_EQ(row.tiered_end, Offset(40));
}

TEST(SegmentRulesTest, AnObjectThatCountsLessThanLiesInItIsDamage) {
  Transition to;
  const SegmentRow two[] = {Segment(0, 5), Segment(5, 10)};
  const ObjectRow one = Object(1, ObjectState::kCommitted, 1);
  EXPECT_EQ(DropSegments(to, two, {&one, 1}, 9).error().code(), ErrorCode::kCorruption);
}

TEST(CommittedOffsetsTest, PositionsRestOnTheirTopicsNotOnPartitionsThatMove) {
  const TopicRow topic{TopicId(1), "", "t", {.partitions = 2}, 0};
  const PositionRow there{{"g", {TopicId(1), PartitionId(1)}}, Offset(4)};
  const auto done = CommitPositionsRule({&topic, 1}, {&there, 1});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->expected, std::vector<MetadataRow>{topic});
  EXPECT_EQ(Shape(*done), "put 5 ");
  for (const PartitionKey& key : {PartitionKey{TopicId(1), PartitionId(2)}, PartitionKey{TopicId(1), PartitionId(-1)},
                                  PartitionKey{TopicId(2), PartitionId(0)}, PartitionKey{TopicId(0), PartitionId(0)}}) {
    const PositionRow absent{{"g", key}, Offset(4)};
    EXPECT_EQ(CommitPositionsRule({&topic, 1}, {&absent, 1}).error().code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace millrace
