// Goal: every partition of a group has one reader, whichever members come and go, and whenever they notice. Method: by
// hand, and all small groups exhaustively.
#include "consumer/group_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace millrace {
namespace {

using Member = GroupShare::Member;

std::vector<PartitionKey> Partitions(std::int64_t topic, std::int32_t count) {
  std::vector<PartitionKey> partitions;
  for (std::int32_t i = 0; i < count; ++i) partitions.push_back({TopicId(topic), PartitionId(i)});
  return partitions;
}

const std::vector<std::string> kOneTopic = {"t"};

/// Which of the topic's partitions each member reads: "01 2".
std::string Shape(const GroupShare& share, const std::vector<PartitionKey>& partitions, Member members) {
  std::string shape;
  for (Member member = 1; member <= members; ++member) {
    if (member > 1) shape += " ";
    for (const PartitionKey& partition : partitions)
      if (share.Owns(member, partition)) shape += std::to_string(partition.partition.value());
  }
  return shape;
}

TEST(GroupShareTest, AMemberGivesUpWhenItNoticesAndOnlyThenAnotherTakes) {
  const auto partitions = Partitions(1, 5);
  GroupShare share;
  share.SetPartitions("t", partitions);
  share.Join(1, kOneTopic, {});
  EXPECT_FALSE(share.Advance(1));
  EXPECT_EQ(Shape(share, partitions, 2), "01234 ");
  share.Join(2, kOneTopic, {});
  EXPECT_FALSE(share.Advance(2));  // the first has not noticed
  EXPECT_EQ(Shape(share, partitions, 2), "01234 ");
  EXPECT_TRUE(share.Advance(1));
  EXPECT_EQ(Shape(share, partitions, 2), "012 ");
  EXPECT_FALSE(share.Advance(2));
  EXPECT_EQ(Shape(share, partitions, 2), "012 34");
  share.Leave(1);
  EXPECT_EQ(Shape(share, partitions, 2), " 34");
  EXPECT_FALSE(share.Advance(2));
  EXPECT_EQ(Shape(share, partitions, 2), " 01234");
}

TEST(GroupShareTest, ATopicThatGrowsIsSharedAnewAndOneMadeAnewIsAnother) {
  GroupShare share;
  share.SetPartitions("t", Partitions(1, 1));
  share.Join(1, kOneTopic, {});
  share.Join(2, kOneTopic, {});
  share.Advance(1);
  share.Advance(2);
  EXPECT_EQ(Shape(share, Partitions(1, 3), 2), "0 ");
  share.SetPartitions("t", Partitions(1, 3));
  share.Advance(1);
  share.Advance(2);
  EXPECT_EQ(Shape(share, Partitions(1, 3), 2), "01 2");
  share.SetPartitions("t", Partitions(2, 2));
  EXPECT_TRUE(share.Advance(1));
  EXPECT_TRUE(share.Advance(2));
  EXPECT_EQ(Shape(share, Partitions(1, 3), 2), " ");
  EXPECT_EQ(Shape(share, Partitions(2, 2), 2), "0 1");
}

TEST(GroupShareTest, WhatIsAMembersOwnIsSharedWithNobody) {
  const auto partitions = Partitions(1, 3);
  GroupShare share;
  share.SetPartitions("t", partitions);
  const std::vector<PartitionKey> middle = {partitions[1]};
  EXPECT_FALSE(share.Conflict(middle));
  share.Join(1, {}, middle);
  share.Join(2, kOneTopic, {});
  share.Advance(2);
  EXPECT_EQ(Shape(share, partitions, 2), "1 02");
  EXPECT_EQ(share.Conflict(middle), partitions[1]);
  EXPECT_EQ(share.Conflict(partitions), partitions[0]);
  share.Leave(1);
  share.Advance(2);
  EXPECT_EQ(Shape(share, partitions, 2), " 012");
}

/// Every subset of members reads every subset of two topics, in every order of noticing: nothing is read twice, and
/// once all have noticed twice, nothing that a member wants is left.
TEST(GroupShareTest, SmallGroupsExhaustively) {
  const std::vector<std::string> names = {"t", "u"};
  for (std::int32_t count = 0; count <= 4; ++count) {
    for (unsigned wishes = 0; wishes < 64; ++wishes) {  // two bits of topics for each of three members
      std::vector<Member> order = {1, 2, 3};
      do {
        GroupShare share;
        share.SetPartitions("t", Partitions(1, count));
        share.SetPartitions("u", Partitions(2, 2));
        for (const Member member : order) {
          std::vector<std::string> topics;
          for (unsigned topic = 0; topic < 2; ++topic)
            if ((wishes >> (2 * (member - 1) + topic) & 1) != 0) topics.push_back(names[topic]);
          share.Join(member, topics, {});
          share.Advance(member);
        }
        for (int round = 0; round < 2; ++round)
          for (const Member member : order) share.Advance(member);
        for (unsigned topic = 0; topic < 2; ++topic) {
          std::vector<std::size_t> held(4, 0);
          std::size_t readers = 0, owned = 0;
          for (const Member member : order) readers += wishes >> (2 * (member - 1) + topic) & 1;
          const auto partitions = Partitions(topic + 1, topic == 0 ? count : 2);
          for (const PartitionKey& partition : partitions) {
            std::size_t owners = 0;
            for (const Member member : order) {
              if (!share.Owns(member, partition)) continue;
              ++owners;
              ++held[member];
              EXPECT_NE(wishes >> (2 * (member - 1) + topic) & 1, 0U);
            }
            EXPECT_LE(owners, 1U);
            owned += owners;
          }
          EXPECT_EQ(owned, readers == 0 ? 0 : partitions.size());
          if (readers > 0) EXPECT_LE(*std::ranges::max_element(held), (partitions.size() + readers - 1) / readers);
        }
      } while (std::ranges::next_permutation(order).found);
    }
  }
}

}  // namespace
}  // namespace millrace
