// Goal: every metadata store, bare or under the fault decorator without faults, means the same by every call of the
// seam. Method: one suite over all; each test opens a fresh store; where a store persists, the same must hold after a
// reopen. Proves S22, S26 (commit is epoch-checked, whole, idempotent), B11 (positions).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>

#include "env/seeded_random.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "meta/metadata_bench.h"

namespace millrace {
namespace {

class MetadataConformanceTest : public testing::TestWithParam<MetadataContender> {
 protected:
  void SetUp() override {
    bench_ = GetParam().make();
    ASSERT_TRUE(bench_->Open());
  }
  Catalog store() { return Catalog(bench_->store()); }
  void Reopen() { ASSERT_TRUE(bench_->Reopen()); }

  template <class T>
  static std::string Code(const Result<T>& result) {
    return result ? "ok" : std::string(ErrorCodeName(result.error().code()));
  }
  TopicRow Topic(std::string_view name, std::int32_t partitions = 1) {
    TopicOptions options;
    options.partitions = partitions;
    auto row = store().CreateTopic(name, options, "0123456789abcdef0123456789abcdef", 1000);
    EXPECT_TRUE(row) << row.error().ToString();
    return *row;
  }
  static PartitionKey Key(const TopicRow& topic, std::int32_t partition = 0) {
    return {topic.id, PartitionId(partition)};
  }
  static ObjectRow Object(std::uint8_t n, std::int64_t changed_ms = 2000) {
    ObjectRow row;
    row.id.fill(n);
    row.key = "objects/" + std::to_string(n);
    row.size_bytes = 1000;
    row.changed_ms = changed_ms;
    return row;
  }
  static SegmentCommit Segment(const PartitionKey& partition, const ObjectRow& object, std::int64_t base,
                               std::int64_t end, std::int32_t epoch = 0) {
    return {{partition, Offset(base), Offset(end), object.id, 10, 100, 7, 111, 222}, LeaderEpoch(epoch)};
  }
  /// Prepares and commits [base, end) of one partition as one object.
  Result<std::vector<PartitionRow>> Commit(const PartitionKey& partition, std::uint8_t object, std::int64_t base,
                                           std::int64_t end, std::int32_t epoch = 0) {
    const ObjectRow row = Object(object);
    if (auto prepared = store().PrepareObject(row); !prepared) return prepared.error();
    const SegmentCommit commit = Segment(partition, row, base, end, epoch);
    return store().CommitSegments(row, std::span(&commit, 1));
  }
  PartitionRow Row(const PartitionKey& partition) {
    auto rows = store().Partitions(partition.topic);
    EXPECT_TRUE(rows);
    return rows->at(static_cast<std::size_t>(partition.partition.value()));
  }
  std::string Bases(const PartitionKey& partition, std::int64_t from, std::size_t max) {
    auto segments = store().Segments(partition, Offset(from), max);
    if (!segments) return Code(segments);
    std::string text;
    for (const SegmentRow& segment : *segments) text += std::to_string(segment.base.value()) + " ";
    return text;
  }
  ObjectState StateOf(std::uint8_t object) { return store().FindObject(Object(object).id)->value().state; }

  std::unique_ptr<MetadataBench> bench_;
};

INSTANTIATE_TEST_SUITE_P(Stores, MetadataConformanceTest, testing::ValuesIn(MetadataContenders()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(MetadataConformanceTest, IdentityIsSetOnce) {
  EXPECT_EQ(*store().Identity(), "");
  ASSERT_TRUE(store().SetIdentity("abc"));
  ASSERT_TRUE(store().SetIdentity("abc"));
  EXPECT_EQ(Code(store().SetIdentity("abd")), "kAlreadyExists");
  Reopen();
  EXPECT_EQ(*store().Identity(), "abc");
}

TEST_P(MetadataConformanceTest, TopicsKeepEveryOption) {
  TopicOptions options;
  options.partitions = 3;
  options.retention_time = std::chrono::milliseconds(604'800'000);
  options.retention_bytes = 1ull << 40;
  options.durability = Durability::kObject;
  options.cleanup = Cleanup::kConsumed;
  auto created = store().CreateTopic("Orders.v-1_x", options, "00112233445566778899aabbccddeeff", 1234);
  ASSERT_TRUE(created);
  const TopicRow plain = Topic("plain");
  EXPECT_NE(created->id, plain.id);
  Reopen();
  auto topics = store().Topics();
  ASSERT_TRUE(topics);
  ASSERT_EQ(topics->size(), 2u);
  EXPECT_EQ(topics->at(0), *created);
  EXPECT_EQ(topics->at(0).options.retention_bytes, 1ull << 40);
  EXPECT_EQ(topics->at(1), plain);
  EXPECT_FALSE(topics->at(1).options.retention_time);
  auto partitions = store().Partitions(created->id);
  ASSERT_EQ(partitions->size(), 3u);
  EXPECT_EQ(partitions->at(2), (PartitionRow{Key(*created, 2), LeaderEpoch(0), Offset(0), Offset(0)}));
  auto all = store().AllPartitions();
  ASSERT_TRUE(all);
  for (const PartitionRow& row : *store().Partitions(plain.id)) partitions->push_back(row);
  EXPECT_EQ(*all, *partitions);
}

TEST_P(MetadataConformanceTest, TopicNamesAreBytes) {
  const std::string names[] = {"a", "A", std::string("a\0b", 3), std::string("a\0c", 3), "\xff\xfe", "'; drop table x"};
  for (const std::string& name : names) Topic(name);
  for (const std::string& name : names) EXPECT_EQ(Code(store().CreateTopic(name, {}, "", 1)), "kAlreadyExists");
  Reopen();
  auto topics = store().Topics();
  ASSERT_EQ(topics->size(), std::size(names));
  for (std::size_t i = 0; i < std::size(names); ++i) EXPECT_EQ(topics->at(i).name, names[i]);
}

TEST_P(MetadataConformanceTest, BadOptionsChangeNothing) {
  TopicOptions options;
  options.partitions = 0;
  EXPECT_EQ(Code(store().CreateTopic("t", options, "", 1)), "kInvalidArgument");
  options.partitions = 1;
  options.retention_time = std::chrono::milliseconds(-1);
  EXPECT_EQ(Code(store().CreateTopic("t", options, "", 1)), "kInvalidArgument");
  EXPECT_TRUE(store().Topics()->empty());
}

TEST_P(MetadataConformanceTest, AlterReplacesOptionsAndPartitionsOnlyGrow) {
  const TopicRow topic = Topic("t", 2);
  ASSERT_TRUE(Commit(Key(topic, 1), 1, 0, 5));
  TopicOptions options;
  options.partitions = 4;
  options.retention_bytes = 77;
  ASSERT_TRUE(store().AlterTopic(topic.id, options));
  options.partitions = 3;
  EXPECT_EQ(Code(store().AlterTopic(topic.id, options)), "kInvalidArgument");
  EXPECT_EQ(Code(store().AlterTopic(TopicId(99), options)), "kNotFound");
  Reopen();
  EXPECT_EQ(store().Topics()->at(0).options.retention_bytes, 77u);
  EXPECT_EQ(store().Topics()->at(0).options.partitions, 4);
  EXPECT_EQ(store().Partitions(topic.id)->size(), 4u);
  EXPECT_EQ(Row(Key(topic, 1)).tiered_end, Offset(5));
}

TEST_P(MetadataConformanceTest, ARecreatedTopicSharesNothingWithItsNamesake) {
  const TopicRow first = Topic("t");
  ASSERT_TRUE(Commit(Key(first), 1, 0, 5));
  const PositionRow position{{"g", Key(first)}, Offset(3)};
  ASSERT_TRUE(store().CommitPositions(std::span(&position, 1)));
  ASSERT_TRUE(store().DeleteTopic(first.id, 9000));
  EXPECT_EQ(Code(store().DeleteTopic(first.id, 9000)), "kNotFound");
  Reopen();
  const TopicRow second = Topic("t");
  EXPECT_NE(first.id, second.id);
  EXPECT_EQ(Row(Key(second)), (PartitionRow{Key(second), LeaderEpoch(0), Offset(0), Offset(0)}));
  EXPECT_TRUE(store().Positions("g")->empty());
  EXPECT_TRUE(store().Groups()->empty());
  EXPECT_EQ(Bases(Key(first), 0, 10), "kNotFound");
  EXPECT_EQ(Bases(Key(second), 0, 10), "");
  EXPECT_EQ(StateOf(1), ObjectState::kDeleting);
  EXPECT_EQ(store().FindObject(Object(1).id)->value().changed_ms, 9000);
}

TEST_P(MetadataConformanceTest, EpochsGrowByOneAndFenceTheOldOwner) {
  const TopicRow topic = Topic("t", 2);
  EXPECT_EQ(store().AcquireEpoch(Key(topic))->epoch, LeaderEpoch(1));
  EXPECT_EQ(store().AcquireEpoch(Key(topic))->epoch, LeaderEpoch(2));
  EXPECT_EQ(Code(store().AcquireEpoch(Key(topic, 2))), "kNotFound");
  EXPECT_EQ(Code(store().AcquireEpoch({TopicId(50), PartitionId(0)})), "kNotFound");
  Reopen();
  EXPECT_EQ(Row(Key(topic)).epoch, LeaderEpoch(2));
  EXPECT_EQ(Row(Key(topic, 1)).epoch, LeaderEpoch(0));
  EXPECT_EQ(Code(Commit(Key(topic), 1, 0, 5, 1)), "kFenced");
  EXPECT_EQ(Code(Commit(Key(topic), 1, 0, 5, 3)), "kFenced");
  EXPECT_EQ(Code(store().AdvanceLogStart(Key(topic), LeaderEpoch(1), Offset(1), 0)), "kFenced");
  EXPECT_EQ(Row(Key(topic)).tiered_end, Offset(0));
  EXPECT_EQ(Code(Commit(Key(topic), 1, 0, 5, 2)), "ok");
}

TEST_P(MetadataConformanceTest, EpochsAreRaisedTogetherOrNotAtAll) {
  const TopicRow topic = Topic("t", 2), other = Topic("u");
  ASSERT_TRUE(Commit(Key(topic), 1, 0, 5));
  const auto ground = [&](const PartitionKey& key, std::int64_t log_end) {
    return EpochGround{.partition = Row(key), .epochs = {}, .log_end = Offset(log_end)};
  };
  std::vector<EpochGround> grounds{ground(Key(topic), 7), ground(Key(topic, 1), 0), ground(Key(other), 3)};
  ASSERT_TRUE(store().AcquireEpoch(Key(other)));  // what was read before is not so any more: it is read again
  ASSERT_TRUE(store().RaiseEpochs(grounds));
  Reopen();
  EXPECT_EQ(*store().Epochs(), (std::vector<EpochRow>{{Key(topic), LeaderEpoch(1), Offset(7)},
                                                      {Key(topic, 1), LeaderEpoch(1), Offset(0)},
                                                      {Key(other), LeaderEpoch(2), Offset(3)}}));
  for (const EpochGround& raised : grounds) EXPECT_EQ(Row(raised.partition.key), raised.partition);
  EXPECT_EQ(Code(Commit(Key(topic), 2, 5, 6, 0)), "kFenced") << "an owner of before";
  grounds[1].log_end = Offset(4);
  ASSERT_TRUE(store().RaiseEpochs(grounds));
  Reopen();
  EXPECT_EQ(*store().Epochs(), (std::vector<EpochRow>{{Key(topic), LeaderEpoch(2), Offset(7)},
                                                      {Key(topic, 1), LeaderEpoch(1), Offset(0)},
                                                      {Key(topic, 1), LeaderEpoch(2), Offset(4)},
                                                      {Key(other), LeaderEpoch(3), Offset(3)}}));
  ASSERT_TRUE(store().DeleteTopic(topic.id, 9));
  Reopen();
  EXPECT_EQ(*store().Epochs(), (std::vector<EpochRow>{{Key(other), LeaderEpoch(3), Offset(3)}}));
  EXPECT_EQ(Code(store().RaiseEpochs(grounds)), "kNotFound");
  EXPECT_EQ(Row(Key(other)).epoch, LeaderEpoch(3));
}

TEST_P(MetadataConformanceTest, ACommitShowsRowsAndMovesTheWatermark) {
  const TopicRow topic = Topic("t");
  auto rows = Commit(Key(topic), 1, 0, 5);
  ASSERT_TRUE(rows);
  const PartitionRow expected{Key(topic), LeaderEpoch(0), Offset(0), Offset(5), 1, 100};
  EXPECT_EQ(rows->at(0), expected);
  Reopen();
  EXPECT_EQ(Row(Key(topic)), expected);
  auto segments = store().Segments(Key(topic), Offset(0), 10);
  ASSERT_TRUE(segments);
  ASSERT_EQ(segments->size(), 1u);
  EXPECT_EQ(segments->at(0), Segment(Key(topic), Object(1), 0, 5).segment);
  auto object = store().FindObject(Object(1).id);
  ASSERT_TRUE(object);
  ObjectRow committed = Object(1);
  committed.state = ObjectState::kCommitted;
  committed.segments = 1;
  EXPECT_EQ(object->value(), committed);
}

TEST_P(MetadataConformanceTest, ACommitIsWholeOrNot) {
  const TopicRow topic = Topic("t", 3);
  ASSERT_TRUE(store().AcquireEpoch(Key(topic, 2)));
  const ObjectRow object = Object(1);
  ASSERT_TRUE(store().PrepareObject(object));
  std::vector<SegmentCommit> commits = {Segment(Key(topic, 0), object, 0, 5), Segment(Key(topic, 1), object, 0, 7),
                                        Segment(Key(topic, 2), object, 0, 9)};
  EXPECT_EQ(Code(store().CommitSegments(object, commits)), "kFenced");
  commits[2].epoch = LeaderEpoch(1);
  commits[2].segment.base = Offset(1);
  auto gap = store().CommitSegments(object, commits);
  EXPECT_EQ(Code(gap), "kOutOfRange");
  EXPECT_EQ(gap.error().bounds(), (OffsetBounds{Offset(0), Offset(0)}));
  commits[2].segment.partition.partition = PartitionId(3);
  EXPECT_EQ(Code(store().CommitSegments(object, commits)), "kNotFound");
  Reopen();
  for (int p = 0; p < 3; ++p) EXPECT_EQ(Row(Key(topic, p)).tiered_end, Offset(0)) << p;
  EXPECT_EQ(StateOf(1), ObjectState::kPrepared);
  commits[2] = Segment(Key(topic, 2), object, 0, 9, 1);
  auto rows = store().CommitSegments(object, commits);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(0).tiered_end, Offset(5));
  EXPECT_EQ(rows->at(2).tiered_end, Offset(9));
}

TEST_P(MetadataConformanceTest, OneObjectMayHoldSeveralSegmentsOfAPartition) {
  const TopicRow topic = Topic("t");
  const ObjectRow object = Object(1);
  ASSERT_TRUE(store().PrepareObject(object));
  const SegmentCommit commits[] = {Segment(Key(topic), object, 0, 5), Segment(Key(topic), object, 5, 8)};
  auto rows = store().CommitSegments(object, commits);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(1), (PartitionRow{Key(topic), LeaderEpoch(0), Offset(0), Offset(8), 2, 200}));
  EXPECT_EQ(Bases(Key(topic), 0, 10), "0 5 ");
  // The object goes with its last segment, not before.
  ASSERT_TRUE(store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(5), 7000));
  EXPECT_EQ(StateOf(1), ObjectState::kCommitted);
  ASSERT_TRUE(store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(8), 8000));
  EXPECT_EQ(StateOf(1), ObjectState::kDeleting);
}

TEST_P(MetadataConformanceTest, ASecondCommitOfTheSameObjectChangesNothing) {
  const TopicRow topic = Topic("t");
  const ObjectRow object = Object(1);
  ASSERT_TRUE(store().PrepareObject(object));
  const SegmentCommit commit = Segment(Key(topic), object, 0, 5);
  auto first = store().CommitSegments(object, std::span(&commit, 1));
  ASSERT_TRUE(first);
  Reopen();
  auto second = store().CommitSegments(object, std::span(&commit, 1));
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(Bases(Key(topic), 0, 10), "0 ");
  EXPECT_TRUE(store().PrepareObject(object));
  EXPECT_EQ(StateOf(1), ObjectState::kCommitted);
}

TEST_P(MetadataConformanceTest, MalformedCommitsAreRefused) {
  const TopicRow topic = Topic("t");
  const ObjectRow object = Object(1);
  EXPECT_EQ(Code(Commit(Key(topic), 1, 0, 0)), "kInvalidArgument");
  EXPECT_EQ(Code(store().CommitSegments(object, {})), "kInvalidArgument");
  SegmentCommit commit = Segment(Key(topic), Object(2), 0, 5);
  EXPECT_EQ(Code(store().CommitSegments(object, std::span(&commit, 1))), "kInvalidArgument");
  commit = Segment(Key(topic), object, 0, 5);
  commit.segment.byte_begin = UINT64_MAX;
  EXPECT_EQ(Code(store().CommitSegments(object, std::span(&commit, 1))), "kInvalidArgument");
  const SegmentCommit unprepared = Segment(Key(topic), Object(9), 0, 5);
  EXPECT_EQ(Code(store().CommitSegments(Object(9), std::span(&unprepared, 1))), "kNotFound");
  EXPECT_EQ(Row(Key(topic)).tiered_end, Offset(0));
}

TEST_P(MetadataConformanceTest, AnAbandonedObjectCannotBeCommitted) {
  const TopicRow topic = Topic("t");
  const ObjectRow object = Object(1);
  ASSERT_TRUE(store().PrepareObject(object));
  ASSERT_TRUE(store().AbandonObject(object.id, 5000));
  ASSERT_TRUE(store().AbandonObject(object.id, 6000));
  EXPECT_EQ(store().FindObject(object.id)->value().changed_ms, 5000);
  const SegmentCommit commit = Segment(Key(topic), object, 0, 5);
  EXPECT_EQ(Code(store().CommitSegments(object, std::span(&commit, 1))), "kNotFound");
  EXPECT_EQ(Code(store().AbandonObject(Object(2).id, 1)), "kNotFound");
  ASSERT_TRUE(Commit(Key(topic), 3, 0, 5));
  EXPECT_EQ(Code(store().AbandonObject(Object(3).id, 1)), "kAlreadyExists");
  ObjectRow renamed = Object(3);
  renamed.key = "other";
  EXPECT_EQ(Code(store().PrepareObject(renamed)), "kAlreadyExists");
}

TEST_P(MetadataConformanceTest, ObjectsAreForgottenInTwoSteps) {
  const TopicRow topic = Topic("t");
  ASSERT_TRUE(Commit(Key(topic), 1, 0, 5));
  EXPECT_EQ(Code(store().ForgetObject(Object(1).id)), "kInternal");
  ASSERT_TRUE(store().PrepareObject(Object(2)));
  EXPECT_EQ(Code(store().ForgetObject(Object(2).id)), "kInvalidArgument");
  ASSERT_TRUE(store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(5), 7000));
  ASSERT_TRUE(store().ForgetObject(Object(1).id));
  ASSERT_TRUE(store().ForgetObject(Object(1).id));
  Reopen();
  EXPECT_FALSE(*store().FindObject(Object(1).id));
  EXPECT_TRUE(*store().FindObject(Object(2).id));
}

TEST_P(MetadataConformanceTest, ObjectsAreFoundByStateAndAge) {
  for (std::uint8_t n = 1; n <= 5; ++n) ASSERT_TRUE(store().PrepareObject(Object(n, 1000 - n)));
  ASSERT_TRUE(store().AbandonObject(Object(3).id, 5000));
  const auto found = [&](ObjectState state, std::int64_t before, std::size_t max) {
    std::string text;
    auto objects = store().ObjectsIn(state, before, max);
    for (const ObjectRow& row : *objects) text += std::to_string(row.id[0]) + " ";
    return text;
  };
  EXPECT_EQ(found(ObjectState::kPrepared, 2000, 10), "5 4 2 1 ");
  EXPECT_EQ(found(ObjectState::kPrepared, 2000, 3), "5 4 2 ");
  EXPECT_EQ(found(ObjectState::kPrepared, 998, 10), "5 4 ");
  EXPECT_EQ(found(ObjectState::kDeleting, 5000, 10), "");
  EXPECT_EQ(found(ObjectState::kDeleting, 5001, 10), "3 ");
  EXPECT_EQ(found(ObjectState::kCommitted, 9000, 10), "");
}

TEST_P(MetadataConformanceTest, LogStartOnlyGrowsAndTakesSegmentsAndTieredEndAlong) {
  const TopicRow topic = Topic("t");
  for (std::uint8_t n = 1; n <= 4; ++n) ASSERT_TRUE(Commit(Key(topic), n, (n - 1) * 10, n * 10));
  auto row = store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(25), 7000);
  ASSERT_TRUE(row);
  EXPECT_EQ(*row, (PartitionRow{Key(topic), LeaderEpoch(0), Offset(25), Offset(40), 2, 200}));
  EXPECT_EQ(StateOf(2), ObjectState::kDeleting);
  EXPECT_EQ(StateOf(3), ObjectState::kCommitted);
  EXPECT_EQ(*store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(10), 7000), *row);
  Reopen();
  EXPECT_EQ(Row(Key(topic)), *row);
  EXPECT_EQ(Bases(Key(topic), 0, 10), "20 30 ");
  row = store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(55), 8000);
  EXPECT_EQ(*row, (PartitionRow{Key(topic), LeaderEpoch(0), Offset(55), Offset(55), 0, 0}));
  EXPECT_EQ(Bases(Key(topic), 0, 10), "");
  EXPECT_EQ(Code(Commit(Key(topic), 5, 40, 50)), "kOutOfRange");
  EXPECT_EQ(Code(Commit(Key(topic), 5, 55, 60)), "ok");
  EXPECT_EQ(Bases(Key(topic), 0, 10), "55 ");
}

TEST_P(MetadataConformanceTest, TheTimeOfACommitIsKeptAndMayBeUnknown) {
  const TopicRow topic = Topic("t");
  const ObjectRow object = Object(1);
  ASSERT_TRUE(store().PrepareObject(object));
  SegmentCommit commits[] = {Segment(Key(topic), object, 0, 5), Segment(Key(topic), object, 5, 8)};
  commits[1].segment.committed_ms = 1'700'000'000'123;
  ASSERT_TRUE(store().CommitSegments(object, commits));
  Reopen();
  auto segments = store().Segments(Key(topic), Offset(0), 10);
  ASSERT_TRUE(segments) << segments.error().ToString();
  EXPECT_EQ(segments->at(0).committed_ms, 0);
  EXPECT_EQ(segments->at(1), commits[1].segment);
}

TEST_P(MetadataConformanceTest, AGapLiesInTheRowOfSegmentsAndHasNoObject) {
  const TopicRow topic = Topic("t");
  const auto gap = [&](std::int64_t base, std::int64_t end, std::int32_t epoch = 0) {
    SegmentCommit commit;
    commit.segment.partition = Key(topic);
    commit.segment.base = Offset(base);
    commit.segment.end = Offset(end);
    commit.segment.committed_ms = 77;
    commit.epoch = LeaderEpoch(epoch);
    return commit;
  };
  const auto commit_gap = [&](const SegmentCommit& commit) {
    return store().CommitSegments({}, std::span(&commit, 1));
  };
  ASSERT_TRUE(Commit(Key(topic), 1, 0, 5));
  EXPECT_EQ(Code(commit_gap(gap(6, 9))), "kOutOfRange");
  EXPECT_EQ(Code(commit_gap(gap(5, 9, 3))), "kFenced");
  EXPECT_EQ(Code(commit_gap(gap(5, 5))), "kInvalidArgument");
  auto with_records = gap(5, 9);
  with_records.segment.records = 4;
  EXPECT_EQ(Code(commit_gap(with_records)), "kInvalidArgument");
  auto rows = commit_gap(gap(5, 9));
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(rows->at(0), (PartitionRow{Key(topic), LeaderEpoch(0), Offset(0), Offset(9), 2, 100}));
  auto again = commit_gap(gap(5, 9));  // its answer was lost
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(*again, *rows);
  // Among the segments of an object.
  const ObjectRow object = Object(2);
  ASSERT_TRUE(store().PrepareObject(object));
  const SegmentCommit gaps[] = {gap(9, 10), gap(10, 20)};
  EXPECT_EQ(Code(store().CommitSegments(object, gaps)), "kInvalidArgument");
  const SegmentCommit mixed[] = {Segment(Key(topic), object, 9, 12), gap(12, 20), Segment(Key(topic), object, 20, 22)};
  ASSERT_TRUE(store().CommitSegments(object, mixed));
  Reopen();
  EXPECT_EQ(Bases(Key(topic), 0, 10), "0 5 9 12 20 ");
  EXPECT_EQ(store().Segments(Key(topic), Offset(5), 1)->at(0), gap(5, 9).segment);
  EXPECT_TRUE(store().Segments(Key(topic), Offset(13), 1)->at(0).is_gap());
  EXPECT_FALSE(store().Segments(Key(topic), Offset(0), 1)->at(0).is_gap());
  EXPECT_FALSE(*store().FindObject(ObjectId{}));
  // It goes like any other, and nothing is given up for it.
  EXPECT_EQ(store().AdvanceLogStart(Key(topic), LeaderEpoch(0), Offset(20), 7000)->segments, 1u);
  EXPECT_EQ(StateOf(2), ObjectState::kCommitted);
  ASSERT_TRUE(store().DeleteTopic(topic.id, 8000));
  EXPECT_EQ(StateOf(2), ObjectState::kDeleting);
  EXPECT_EQ(store().ObjectsIn(ObjectState::kDeleting, 9000, 10)->size(), 2u);
}

TEST_P(MetadataConformanceTest, ManySegmentsGoWithTheirTopicOrBelowTheLogStart) {
  constexpr int kObjects = 30, kEach = 50;
  for (const bool whole : {false, true}) {
    const TopicRow topic = Topic(whole ? "goes" : "shrinks", 2);
    const PartitionKey key = Key(topic, 1);
    const int first = whole ? 100 : 0;
    for (int n = 0; n < kObjects; ++n) {
      const ObjectRow object = Object(static_cast<std::uint8_t>(first + n + 1));
      ASSERT_TRUE(store().PrepareObject(object));
      std::vector<SegmentCommit> commits;
      for (int i = n * kEach; i < (n + 1) * kEach; ++i) commits.push_back(Segment(key, object, i, i + 1));
      ASSERT_TRUE(store().CommitSegments(object, commits));
    }
    const PositionRow position{{"g", key}, Offset(3)};
    ASSERT_TRUE(store().CommitPositions(std::span(&position, 1)));
    if (whole) {
      ASSERT_TRUE(store().DeleteTopic(topic.id, 7000));
      EXPECT_EQ(Code(store().DeleteTopic(topic.id, 7000)), "kNotFound");
      EXPECT_EQ(Code(store().Partitions(topic.id)), "kNotFound");
      EXPECT_EQ(Bases(key, 0, 10), "kNotFound");
    } else {
      const std::int64_t start = kObjects * kEach - 20;
      auto row = store().AdvanceLogStart(key, LeaderEpoch(0), Offset(start), 7000);
      ASSERT_TRUE(row);
      EXPECT_EQ(*row, (PartitionRow{key, LeaderEpoch(0), Offset(start), Offset(kObjects * kEach), 20, 2000}));
      EXPECT_EQ(store().Segments(key, Offset(0), 1000)->size(), 20u);
    }
    Reopen();
    for (int n = 0; n < kObjects; ++n) {
      const auto id = static_cast<std::uint8_t>(first + n + 1);
      const bool last = !whole && n == kObjects - 1;
      EXPECT_EQ(StateOf(id), last ? ObjectState::kCommitted : ObjectState::kDeleting) << n;
    }
  }
  EXPECT_EQ(store().Positions("g")->size(), 1u);
}

TEST_P(MetadataConformanceTest, SegmentsComeInPagesFromAnyOffset) {
  const TopicRow topic = Topic("t", 2);
  for (std::uint8_t n = 0; n < 50; ++n) {
    ASSERT_TRUE(Commit(Key(topic), n, n * 10, n * 10 + 10));
    if (n % 2 == 0) ASSERT_TRUE(Commit(Key(topic, 1), static_cast<std::uint8_t>(100 + n), n * 5, n * 5 + 10));
  }
  EXPECT_EQ(Bases(Key(topic), 0, 3), "0 10 20 ");
  EXPECT_EQ(Bases(Key(topic), 9, 2), "0 10 ");
  EXPECT_EQ(Bases(Key(topic), 10, 2), "10 20 ");
  EXPECT_EQ(Bases(Key(topic), 485, 5), "480 490 ");
  EXPECT_EQ(Bases(Key(topic), 499, 5), "490 ");
  EXPECT_EQ(Bases(Key(topic), 500, 5), "");
  EXPECT_EQ(Code(store().Segments(Key(topic), Offset(0), 0)), "kInvalidArgument");
  Reopen();
  for (const std::size_t max : {1u, 7u, 49u, 50u, 51u}) {
    std::size_t seen = 0;
    for (Offset from{0};;) {
      auto page = store().Segments(Key(topic), from, max);
      ASSERT_TRUE(page);
      if (page->empty()) break;
      seen += page->size();
      from = page->back().end;
    }
    EXPECT_EQ(seen, 50u) << max;
  }
  EXPECT_EQ(store().Segments(Key(topic, 1), Offset(0), 1000)->size(), 25u);
}

TEST_P(MetadataConformanceTest, PositionsAreSetOverwrittenAndRemovedByGroup) {
  const TopicRow topic = Topic("t", 2);
  const std::string groups[] = {"g", "", std::string("g\0h", 3), "\xff", std::string("g\0", 2)};
  EXPECT_TRUE(store().Positions("g")->empty());
  for (const std::string& group : groups) {
    const PositionRow rows[] = {{{group, Key(topic, 1)}, Offset(7)}, {{group, Key(topic, 0)}, Offset(3)}};
    ASSERT_TRUE(store().CommitPositions(rows));
  }
  const PositionRow again{{"g", Key(topic, 1)}, Offset(2)};
  ASSERT_TRUE(store().CommitPositions(std::span(&again, 1)));
  Reopen();
  for (const std::string& group : groups) {
    auto rows = store().Positions(group);
    ASSERT_EQ(rows->size(), 2u);
    EXPECT_EQ(rows->at(0), (PositionRow{{group, Key(topic, 0)}, Offset(3)}));
    EXPECT_EQ(rows->at(1).position, Offset(group == "g" ? 2 : 7));
  }
  std::vector<std::string> sorted(std::begin(groups), std::end(groups));
  std::ranges::sort(sorted);
  EXPECT_EQ(*store().Groups(), sorted);
  ASSERT_TRUE(store().DeleteGroup("g"));
  ASSERT_TRUE(store().DeleteGroup("g"));
  EXPECT_TRUE(store().Positions("g")->empty());
  EXPECT_EQ(store().Positions(groups[2])->size(), 2u);
  EXPECT_EQ(store().Groups()->size(), 4u);
}

TEST_P(MetadataConformanceTest, APositionCommitIsWholeOrNot) {
  const TopicRow topic = Topic("t");
  const PositionRow rows[] = {{{"g", Key(topic)}, Offset(7)}, {{"g", Key(topic, 5)}, Offset(3)}};
  EXPECT_EQ(Code(store().CommitPositions(rows)), "kNotFound");
  EXPECT_TRUE(store().Positions("g")->empty());
  EXPECT_TRUE(store().CommitPositions({}));
}

TEST_P(MetadataConformanceTest, AClosedStoreSaysSo) {
  const TopicRow topic = Topic("t");
  ASSERT_TRUE(bench_->store().Close());
  ASSERT_TRUE(bench_->store().Close());
  EXPECT_EQ(Code(store().Topics()), "kClosed");
  EXPECT_EQ(Code(store().Identity()), "kClosed");
  EXPECT_EQ(Code(store().CreateTopic("u", {}, "", 1)), "kClosed");
  EXPECT_EQ(Code(store().Segments(Key(topic), Offset(0), 1)), "kClosed");
  EXPECT_EQ(Code(store().CommitPositions({})), "kClosed");
}

TEST_P(MetadataConformanceTest, ConcurrentCommitsOfOnePartitionHaveOneWinnerEach) {
  const TopicRow topic = Topic("t");
  std::atomic<int> won{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int n = 0; n < 10; ++n) {
          auto commit = Commit(Key(topic), static_cast<std::uint8_t>(t * 10 + n), n * 10, n * 10 + 10);
          if (commit) ++won;
          while (Row(Key(topic)).tiered_end < Offset(n * 10 + 10)) std::this_thread::yield();
        }
      });
    }
  }
  EXPECT_EQ(won, 10);
  EXPECT_EQ(Row(Key(topic)).tiered_end, Offset(100));
  EXPECT_EQ(store().Segments(Key(topic), Offset(0), 100)->size(), 10u);
}

}  // namespace
}  // namespace millrace
