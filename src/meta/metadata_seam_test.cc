// Goal: the six calls of the seam mean the same on every store, bare or under the fault decorator. Method: one suite
// over all; each test opens a fresh store; where a store persists, the same must hold after a reopen. The rules above
// the seam have a suite of their own: metadata_conformance_test.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "meta/metadata_bench.h"
#include "meta/table_spec.h"
#include "meta/transition.h"

namespace millrace {
namespace {

using Kind = MetadataWrite::Kind;

class MetadataSeamTest : public testing::TestWithParam<MetadataContender> {
 protected:
  void SetUp() override {
    bench_ = GetParam().make();
    ASSERT_TRUE(bench_->Open());
  }
  MetadataStore& store() { return bench_->store(); }
  void Reopen() { ASSERT_TRUE(bench_->Reopen()); }

  template <class T>
  static std::string Code(const Result<T>& result) {
    return result ? "ok" : std::string(ErrorCodeName(result.error().code()));
  }
  /// The number of the last change, 0 if it was refused, or -1 after an error.
  std::int64_t Commit(const std::vector<MetadataRow>& expected, const std::vector<MetadataWrite>& writes) {
    const auto number = store().Commit(expected, writes);
    if (!number) return -1;
    return *number ? (*number)->value() : 0;
  }
  std::optional<MetadataRow> Find(const MetadataKey& key) { return store().Get({&key, 1})->at(0); }
  static StoreRow Number(const char* name, std::int64_t number) { return {name, number, "text"}; }
  static PositionRow Position(std::string group, std::int64_t topic, std::int32_t partition, std::int64_t at) {
    return {{std::move(group), {TopicId(topic), PartitionId(partition)}}, Offset(at)};
  }
  static SegmentRow Segment(std::int32_t partition, std::int64_t base, std::int64_t end) {
    SegmentRow row;
    row.partition = {TopicId(1), PartitionId(partition)};
    row.base = Offset(base);
    row.end = Offset(end);
    row.byte_size = 7;
    return row;
  }

  std::unique_ptr<MetadataBench> bench_;
};

INSTANTIATE_TEST_SUITE_P(Stores, MetadataSeamTest, testing::ValuesIn(MetadataContenders()),
                         [](const auto& info) { return std::string(info.param.name); });

std::vector<MetadataRow> OneOfEach() {
  TopicRow topic{TopicId(7), "uuid", std::string("a\0b", 3), {}, 5};
  topic.options.retention_bytes = UINT64_MAX / 2;
  SegmentRow segment;
  segment.partition = {TopicId(7), PartitionId(2)};
  segment.base = Offset(-3);
  segment.end = Offset(9);
  segment.object = {1, 2, 3};
  segment.committed_ms = 77;
  return {StoreRow{"", -1, ""},
          topic,
          PartitionRow{{TopicId(7), PartitionId(2)}, LeaderEpoch(3), Offset(1), Offset(INT64_MAX), 4, UINT64_MAX},
          ObjectRow{{9}, "key", 1, ObjectState::kCommitted, INT64_MIN, 2},
          segment,
          PositionRow{{"\xff", {TopicId(7), PartitionId(2)}}, Offset(4)},
          PositionRow{{"g", {TopicId(7), PartitionId(2)}}, Offset(4), 99, LeaderEpoch(0), "text"},
          PositionRow{{"h", {TopicId(7), PartitionId(2)}}, Offset(4), 99, std::nullopt, ""},
          RemovalRow{TopicId(8), 6},
          GroupRow{"g", "consumer", "range", 5, "m", 0},
          GroupMemberRow{{"g", "m"}, 1, "i", "client", "/host", 6'000, 60'000, std::string("\0m", 2), "a"},
          EpochRow{{TopicId(7), PartitionId(2)}, LeaderEpoch(3), Offset(100)}};
}

TEST_P(MetadataSeamTest, RowsOfEveryTableAreReadAsTheyWereWritten) {
  std::vector<MetadataWrite> writes;
  for (const MetadataRow& row : OneOfEach()) writes.push_back({Kind::kInsert, row});
  EXPECT_GT(Commit({}, writes), 0);
  Reopen();
  std::vector<MetadataKey> keys;
  for (const MetadataRow& row : OneOfEach()) keys.push_back(KeyOf(row));
  keys.emplace_back(TopicNameKey{std::string("a\0b", 3)});
  keys.emplace_back(TopicNameKey{"a"});
  keys.emplace_back(StoreKey{"absent"});
  const auto rows = store().Get(keys);
  ASSERT_TRUE(rows) << rows.error().ToString();
  ASSERT_EQ(rows->size(), keys.size());
  for (std::size_t i = 0; i < OneOfEach().size(); ++i) EXPECT_EQ(rows->at(i), OneOfEach()[i]) << i;
  EXPECT_EQ(rows->at(keys.size() - 3), OneOfEach()[1]);
  EXPECT_FALSE(rows->at(keys.size() - 2));
  EXPECT_FALSE(rows->at(keys.size() - 1));
}

TEST_P(MetadataSeamTest, ACommitIsAllOrNothing) {
  EXPECT_EQ(Commit({}, {{Kind::kInsert, Number("a", 1)}, {Kind::kInsert, Number("b", 1)}}), 2);
  // An expected row that differs, one that is missing, an insertion of what is there.
  const std::vector<MetadataWrite> writes = {{Kind::kPut, Number("c", 1)}, {Kind::kErase, Number("a", 1)}};
  EXPECT_EQ(Commit({Number("a", 1), Number("b", 2)}, writes), 0);
  EXPECT_EQ(Commit({Number("d", 1)}, writes), 0);
  std::vector<MetadataWrite> inserting = writes;
  inserting.push_back({Kind::kInsert, Number("b", 1)});
  EXPECT_EQ(Commit({Number("a", 1)}, inserting), 0);
  Reopen();
  EXPECT_EQ(Find(StoreKey{"a"}), MetadataRow(Number("a", 1)));
  EXPECT_EQ(Find(StoreKey{"b"}), MetadataRow(Number("b", 1)));
  EXPECT_FALSE(Find(StoreKey{"c"}));
  EXPECT_EQ(store().Changes(ChangeNumber(0), 100)->size(), 2u);
  EXPECT_EQ(Commit({Number("a", 1), Number("b", 1)}, writes), 4);
  Reopen();
  EXPECT_FALSE(Find(StoreKey{"a"}));
  EXPECT_TRUE(Find(StoreKey{"c"}));
}

TEST_P(MetadataSeamTest, ExpectedIsEveryColumn) {
  EXPECT_GT(Commit({}, {{Kind::kInsert, OneOfEach()[4]}}), 0);
  auto other = std::get<SegmentRow>(OneOfEach()[4]);
  other.committed_ms = 0;
  EXPECT_EQ(Commit({other}, {{Kind::kPut, Number("x", 1)}}), 0);
  EXPECT_GT(Commit({OneOfEach()[4]}, {{Kind::kPut, Number("x", 1)}}), 0);
}

TEST_P(MetadataSeamTest, WritesHappenInTheirOrderAndErasingNothingIsSuccess) {
  EXPECT_EQ(Commit({}, {{Kind::kErase, Number("a", 1)},
                        {Kind::kPut, Number("a", 1)},
                        {Kind::kPut, Number("a", 2)},
                        {Kind::kErase, Number("b", 9)}}),
            4);
  EXPECT_EQ(Find(StoreKey{"a"}), MetadataRow(Number("a", 2)));
  EXPECT_EQ(Commit({}, {}), 4);
}

TEST_P(MetadataSeamTest, ScansFollowTheOrderOfTheKeys) {
  const std::string groups[] = {"",
                                std::string("\0", 1),
                                std::string("\0\0", 2),
                                std::string("\0\x01", 2),
                                "a",
                                std::string("a\0", 2),
                                std::string("a\0b", 3),
                                "aa",
                                "b",
                                "\xff",
                                "\xff\xff"};
  std::vector<MetadataWrite> writes;
  for (const std::string& group : groups)
    for (const std::int64_t topic : {300, -1, 2})
      for (const std::int32_t partition : {256, 1})
        writes.push_back({Kind::kInsert, Position(group, topic, partition, 5)});
  EXPECT_EQ(Commit({}, writes), 0);  // positions are no changes: the number is still the first one's
  Reopen();
  const auto all = store().Scan(PositionKey{"", {TopicId(INT64_MIN), PartitionId(0)}}, EndOfTable{}, 1'000);
  ASSERT_TRUE(all) << all.error().ToString();
  ASSERT_EQ(all->size(), std::size(groups) * 6);
  const auto key = [](const MetadataRow& row) { return std::get<PositionRow>(row).key; };
  for (std::size_t i = 1; i < all->size(); ++i) EXPECT_LT(key(all->at(i - 1)), key(all->at(i))) << i;
  // From inclusive, to exclusive, at most max.
  for (const auto& [from, to] : {std::pair(0u, 66u), {7u, 7u}, {7u, 8u}, {5u, 31u}, {30u, 12u}}) {
    const auto some =
        store().Scan(key(all->at(from)), to == 66u ? MetadataKey(EndOfTable{}) : MetadataKey(key(all->at(to))), 20);
    ASSERT_TRUE(some);
    const std::size_t expected = to < from ? 0 : std::min(to - from, 20u);
    ASSERT_EQ(some->size(), expected) << from << " " << to;
    for (std::size_t i = 0; i < expected; ++i) EXPECT_EQ(some->at(i), all->at(from + i));
  }
  EXPECT_TRUE(store().Scan(key(all->at(0)), EndOfTable{}, 0)->empty());
}

TEST_P(MetadataSeamTest, SecondOrdersFollowTheRows) {
  const auto object = [](std::uint8_t id, ObjectState state, std::int64_t at) {
    return ObjectRow{{id}, "k", 1, state, at, 0};
  };
  EXPECT_GT(Commit({}, {{Kind::kInsert, object(1, ObjectState::kPrepared, 30)},
                        {Kind::kInsert, object(2, ObjectState::kPrepared, -5)},
                        {Kind::kInsert, object(3, ObjectState::kDeleting, 1)},
                        {Kind::kInsert, object(4, ObjectState::kPrepared, 30)}}),
            0);
  EXPECT_GT(Commit({}, {{Kind::kPut, object(4, ObjectState::kCommitted, 40)},
                        {Kind::kErase, object(3, ObjectState::kDeleting, 1)}}),
            0);
  Reopen();
  std::string found;
  const auto rows = store().Scan(ObjectAgeKey{ObjectState::kPrepared, INT64_MIN, {}}, EndOfTable{}, 10);
  ASSERT_TRUE(rows) << rows.error().ToString();
  for (const MetadataRow& row : *rows) found += std::to_string(std::get<ObjectRow>(row).id[0]) + " ";
  EXPECT_EQ(found, "2 1 4 ");
  EXPECT_EQ(store()
                .Scan(ObjectAgeKey{ObjectState::kPrepared, 0, {}}, ObjectAgeKey{ObjectState::kPrepared, 31, {}}, 10)
                ->size(),
            1u);
}

TEST_P(MetadataSeamTest, SegmentsAreOrderedByTheirEndSoTheOneThatCoversIsFound) {
  std::vector<MetadataWrite> writes;
  for (const std::int64_t base : {20, 0, 10}) writes.push_back({Kind::kInsert, Segment(0, base, base + 10)});
  writes.push_back({Kind::kInsert, Segment(1, 0, 100)});
  EXPECT_GT(Commit({}, writes), 0);
  const auto covering = [&](std::int64_t offset) {
    const auto rows = store().Scan(SegmentEndKey{{TopicId(1), PartitionId(0)}, Offset(offset + 1)},
                                   SegmentEndKey{{TopicId(1), PartitionId(1)}, Offset(INT64_MIN)}, 1);
    return rows->empty() ? -1 : std::get<SegmentRow>(rows->front()).base.value();
  };
  EXPECT_EQ(covering(0), 0);
  EXPECT_EQ(covering(9), 0);
  EXPECT_EQ(covering(10), 10);
  EXPECT_EQ(covering(29), 20);
  EXPECT_EQ(covering(30), -1);
}

TEST_P(MetadataSeamTest, KeysThatACallDoesNotTakeAreRefused) {
  const MetadataKey end = EndOfTable{};
  EXPECT_EQ(Code(store().Get({&end, 1})), "kInvalidArgument");
  EXPECT_EQ(Code(store().Scan(end, end, 1)), "kInvalidArgument");
  EXPECT_EQ(Code(store().Scan(StoreKey{}, TopicKey{}, 1)), "kInvalidArgument");
  EXPECT_EQ(Code(store().Scan(TopicKey{}, TopicNameKey{}, 1)), "kInvalidArgument");
}

TEST_P(MetadataSeamTest, ChangesComeInTheOrderOfTheirCommitsWithoutHoles) {
  EXPECT_TRUE(store().Changes(ChangeNumber(0), 10)->empty());
  EXPECT_EQ(Commit({}, {{Kind::kInsert, Number("b", 1)}, {Kind::kInsert, Segment(1, 0, 5)}}), 2);
  EXPECT_EQ(Commit({}, {{Kind::kInsert, Position("g", 1, 1, 1)}}), 2);
  EXPECT_EQ(Commit({}, {{Kind::kInsert, GroupRow{.name = "g"}}, {Kind::kInsert, GroupMemberRow{.key = {"g", "m"}}}}),
            2);
  EXPECT_EQ(Commit({Number("none", 1)}, {{Kind::kPut, Number("c", 1)}}), 0);
  EXPECT_EQ(Commit({}, {{Kind::kPut, Position("g", 1, 1, 2)}, {Kind::kErase, Number("b", 1)}}), 3);
  Reopen();
  EXPECT_EQ(Commit({}, {{Kind::kInsert, Number("a", 1)}}), 4);
  const std::vector<MetadataChange> all = {{ChangeNumber(1), StoreKey{"b"}},
                                           {ChangeNumber(2), SegmentEndKey{{TopicId(1), PartitionId(1)}, Offset(5)}},
                                           {ChangeNumber(3), StoreKey{"b"}},
                                           {ChangeNumber(4), StoreKey{"a"}}};
  for (std::size_t after = 0; after <= all.size(); ++after) {
    for (const std::size_t max : {0u, 1u, 2u, 100u}) {
      const auto changes = store().Changes(ChangeNumber(static_cast<std::int64_t>(after)), max);
      ASSERT_TRUE(changes) << changes.error().ToString();
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(after);
      const auto count = static_cast<std::ptrdiff_t>(std::min(max, all.size() - after));
      EXPECT_EQ(*changes, std::vector<MetadataChange>(begin, begin + count)) << after << " " << max;
    }
  }
  EXPECT_EQ(Code(store().Changes(ChangeNumber(5), 10)), "kOutOfRange");
  EXPECT_EQ(Code(store().Changes(ChangeNumber(-1), 10)), "kOutOfRange");
}

TEST_P(MetadataSeamTest, OldChangesGoAfterAnHourOrWhenThereAreTooMany) {
  std::int64_t last = 0;
  const auto commit_many = [&](std::int64_t count) {
    std::vector<MetadataWrite> writes(static_cast<std::size_t>(count), {Kind::kPut, Number("n", 1)});
    last = Commit({}, writes);
  };
  commit_many(1'000);
  bench_->Advance(kChangesKeptMs + 1);
  commit_many(600);
  commit_many(600);
  EXPECT_EQ(Code(store().Changes(ChangeNumber(0), 1)), "kOutOfRange");
  EXPECT_EQ(store().Changes(ChangeNumber(1'000), 2'000)->size(), 1'200u);
  bench_->Advance(kChangesKeptMs - 1);
  for (int i = 0; i < 6; ++i) commit_many(20'000);
  EXPECT_EQ(Code(store().Changes(ChangeNumber(1'000), 1)), "kOutOfRange");
  EXPECT_EQ(store().Changes(ChangeNumber(last - kChangesKept + 20'000), 1)->size(), 1u);
  Reopen();
  EXPECT_EQ(store().Changes(ChangeNumber(last - 1), 10)->size(), 1u);
}

TEST_P(MetadataSeamTest, OfConcurrentCommittersOneWinsEachTime) {
  EXPECT_EQ(Commit({}, {{Kind::kInsert, Number("n", 0)}}), 1);
  constexpr int kThreads = 4, kEach = 50;
  std::atomic<int> lost{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int done = 0; done < kEach;) {
          const auto row = std::get<StoreRow>(*Find(StoreKey{"n"}));
          StoreRow next = row;
          ++next.number;
          if (Commit({row}, {{Kind::kPut, next}}) > 0)
            ++done;
          else
            ++lost;
        }
      });
    }
  }
  EXPECT_EQ(std::get<StoreRow>(*Find(StoreKey{"n"})).number, kThreads * kEach);
  EXPECT_EQ(store().Changes(ChangeNumber(0), 1'000)->size(), 1u + kThreads * kEach);
}

TEST_P(MetadataSeamTest, AClosedStoreSaysSo) {
  ASSERT_TRUE(store().NowMs());
  ASSERT_TRUE(store().Close());
  ASSERT_TRUE(store().Close());
  EXPECT_EQ(Code(store().Get({})), "kClosed");
  EXPECT_EQ(Code(store().Scan(StoreKey{}, EndOfTable{}, 1)), "kClosed");
  EXPECT_EQ(Code(store().Commit({}, {})), "kClosed");
  EXPECT_EQ(Code(store().Changes(ChangeNumber(0), 1)), "kClosed");
  EXPECT_EQ(Code(store().NowMs()), "kClosed");
}

}  // namespace
}  // namespace millrace
