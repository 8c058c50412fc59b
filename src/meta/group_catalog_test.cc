// Goal: groups come back as they were stored, in one transaction with positions, and deleted with them. Method: over
// memory; the rows themselves are tested over every store by metadata_seam_test.cc.
#include "meta/group_catalog.h"

#include <gtest/gtest.h>

#include "meta/catalog.h"
#include "meta/group_members.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

StoredGroup Group(const std::string& name, std::int32_t generation, const std::vector<std::string>& members) {
  StoredGroup group{
      .row = {name, "consumer", "range", generation, members.empty() ? "" : members.front(), members.empty() ? 77 : 0}};
  for (const std::string& member : members) {
    const auto place = static_cast<std::int64_t>(group.members.size());
    group.members.push_back({{name, member}, place, "", "client", "/host", 6'000, 60'000, "meta", "part of " + member});
  }
  return group;
}

class GroupCatalogTest : public testing::Test {
 protected:
  GroupCatalogTest() : topic_(Catalog(store_).CreateTopic("t", {.partitions = 2}, "", 1)->id) {}
  PositionRow Position(const std::string& group, std::int32_t partition, std::int64_t at) const {
    return {{group, {topic_, PartitionId(partition)}}, Offset(at), 5, LeaderEpoch(3), "text"};
  }

  MemoryMetadataStore store_;
  const TopicId topic_;
  const GroupCatalog groups_{store_};
};

TEST_F(GroupCatalogTest, GroupsComeBackWithTheirMembersInOrder) {
  const std::vector<StoredGroup> stored = {Group("a", 1, {"z", "b"}), Group("empty", 9, {})};
  ASSERT_TRUE(groups_.Store({}, stored));
  EXPECT_EQ(*groups_.Groups(), stored);
}

TEST_F(GroupCatalogTest, MembersThatAreGoneAreGoneAndNoOthers) {
  const std::vector<StoredGroup> before = {Group("a", 1, {"x", "y"}), Group(std::string("a\0", 2), 1, {"x"})};
  ASSERT_TRUE(groups_.Store({}, before));
  const std::vector<StoredGroup> after = {Group("a", 2, {"x"}), Group("a", 3, {"y", "new"})};
  ASSERT_TRUE(groups_.Store({}, after));  // the last stands
  EXPECT_EQ(*groups_.Groups(), (std::vector<StoredGroup>{after[1], before[1]}));
}

TEST_F(GroupCatalogTest, PositionsAndGroupsAreOneTransaction) {
  const std::vector<StoredGroup> group = {Group("a", 1, {"x"})};
  const PositionRow good[] = {Position("a", 0, 7)}, bad[] = {Position("a", 1, 7), Position("a", 2, 7)};
  EXPECT_EQ(groups_.Store(bad, group).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(groups_.Groups()->empty());
  EXPECT_TRUE(Catalog(store_).Positions("a")->empty());
  ASSERT_TRUE(groups_.Store(good, group));
  EXPECT_EQ(Catalog(store_).Positions("a")->at(0), good[0]);
  EXPECT_EQ(groups_.Groups()->size(), 1u);
}

TEST_F(GroupCatalogTest, AGroupIsDeletedWithItsMembersAndPositions) {
  const PositionRow positions[] = {Position("a", 0, 7), Position("b", 0, 7)};
  const std::vector<StoredGroup> groups = {Group("a", 1, {"x"}), Group("b", 1, {"x"})};
  ASSERT_TRUE(groups_.Store(positions, groups));
  EXPECT_TRUE(*Catalog(store_).DeleteGroup("a"));
  EXPECT_FALSE(*Catalog(store_).DeleteGroup("a"));
  EXPECT_EQ(groups_.Groups()->size(), 1u);
  EXPECT_TRUE(MembersOf(store_, "a")->empty());
  EXPECT_TRUE(Catalog(store_).Positions("a")->empty());
  EXPECT_EQ(Catalog(store_).Positions("b")->size(), 1u);
}

TEST_F(GroupCatalogTest, APositionThatMovedIsNotForgotten) {
  const PositionRow before[] = {Position("a", 0, 7), Position("a", 1, 7)};
  ASSERT_TRUE(groups_.Store(before, {}));
  const PositionRow moved[] = {Position("a", 1, 8)};
  ASSERT_TRUE(groups_.Store(moved, {}));
  ASSERT_TRUE(Catalog(store_).Forget(before));
  EXPECT_EQ(*Catalog(store_).Positions("a"), (std::vector<PositionRow>{moved[0]}));
}

TEST_F(GroupCatalogTest, MoreGroupsThanAPageHolds) {
  std::vector<StoredGroup> groups;
  for (int i = 0; i < 2'500; ++i) groups.push_back(Group("g" + std::to_string(10'000 + i), i, {}));
  ASSERT_TRUE(groups_.Store({}, groups));
  EXPECT_EQ(*groups_.Groups(), groups);
}

}  // namespace
}  // namespace millrace
