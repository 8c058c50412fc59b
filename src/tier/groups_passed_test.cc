// Goal: a topic whose entries go when all have read them waits for every group that reads it, in every partition; a
// store that does not answer is no store without groups. Method: positions of several groups in a memory store. R26.
#include "tier/groups_passed.h"

#include <gtest/gtest.h>

#include <memory>

#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

class GroupsPassedTest : public testing::Test {
 protected:
  PartitionKey At(std::int32_t partition) const { return {topic_, PartitionId(partition)}; }
  void Commit(const std::string& group, const PartitionKey& partition, std::int64_t position) {
    const PositionRow row{.key = {group, partition}, .position = Offset(position), .metadata = ""};
    ASSERT_TRUE(Catalog(*store_).CommitPositions({&row, 1}));
  }
  std::optional<Offset> Passed(const PartitionKey& partition) {
    return GroupsPassed::Read(*store_, {topic_, other_, topic_})->Of(partition);
  }

  std::shared_ptr<MemoryMetadataStore> store_ = std::make_shared<MemoryMetadataStore>();
  const TopicId topic_ = Catalog(*store_).CreateTopic("t", {.partitions = 2}, "", 1)->id;
  const TopicId other_ = Catalog(*store_).CreateTopic("other", {.partitions = 2'000}, "", 2)->id;
};

TEST_F(GroupsPassedTest, TheSlowestGroupDecides) {
  EXPECT_EQ(Passed(At(0)), std::nullopt);
  Commit("a", At(0), 7);
  EXPECT_EQ(Passed(At(0)), Offset(7));
  Commit("b", At(0), 5);
  EXPECT_EQ(Passed(At(0)), Offset(5));
  Commit("b", At(0), 9);
  EXPECT_EQ(Passed(At(0)), Offset(7));
}

TEST_F(GroupsPassedTest, WhereAGroupOfTheTopicHasNoPositionEverythingIsKept) {
  Commit("a", At(0), 7);
  EXPECT_EQ(Passed(At(1)), Offset(0));
  Commit("a", At(1), 3);
  EXPECT_EQ(Passed(At(1)), Offset(3));
  Commit("b", At(1), 9);
  EXPECT_EQ(Passed(At(0)), Offset(0));
  Commit("c", {other_, PartitionId(0)}, 1);  // reads something else
  EXPECT_EQ(Passed(At(1)), Offset(3));
}

TEST_F(GroupsPassedTest, EveryPageOfPositionsCounts) {
  for (int i = 0; i < 2'000; ++i) Commit("g", {other_, PartitionId(i)}, 5);
  Commit("z", At(0), 2);
  EXPECT_EQ(Passed({other_, PartitionId(1'999)}), Offset(5));
  EXPECT_EQ(Passed(At(0)), Offset(2));
}

TEST_F(GroupsPassedTest, AStoreThatDoesNotAnswerIsNotOneWithoutGroups) {
  Commit("a", At(0), 7);
  FaultyMetadataStore faulty(store_, 1);
  faulty.FailCall(1, MetadataFault::kBefore);
  EXPECT_EQ(GroupsPassed::Read(faulty, {topic_}).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(faulty.fired(MetadataFault::kBefore), 1U);
}

TEST_F(GroupsPassedTest, OfTopicsThatWereNotReadEverythingIsKept) {
  Commit("a", At(0), 7);
  Commit("a", {other_, PartitionId(0)}, 5);
  const auto passed = GroupsPassed::Read(*store_, {other_});
  EXPECT_EQ(passed->Of(At(0)), Offset(0));
  EXPECT_EQ(passed->Of({other_, PartitionId(0)}), Offset(5));
  FaultyMetadataStore faulty(store_, 1);
  faulty.FailCall(1, MetadataFault::kBefore);
  EXPECT_EQ(GroupsPassed::Read(faulty, {})->Of(At(0)), Offset(0));  // asks nobody
  EXPECT_EQ(faulty.fired(MetadataFault::kBefore), 0U);
}

}  // namespace
}  // namespace millrace
