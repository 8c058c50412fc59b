// Goal: partitions are shared out as other clients share them out under the same names, each to one member that reads
// its topic. Method: the cases of Kafka's descriptions, by hand.
#include "client/assignors.h"

#include <gtest/gtest.h>

namespace millrace::client {
namespace {

/// "a/0 a/1" of each member.
std::map<std::string, std::string> Shown(const Shares& shares) {
  std::map<std::string, std::string> shown;
  for (const auto& [id, partitions] : shares) {
    std::string& text = shown[id];
    for (const TopicPartition& one : partitions)
      text.append(text.empty() ? "" : " ").append(one.topic + "/" + std::to_string(one.partition.value()));
  }
  return shown;
}

using Expected = std::map<std::string, std::string>;

TEST(AssignorsTest, RangeGivesRunsOfEachTopic) {
  const std::vector<Subscriber> two{{"m2", {"a", "b"}}, {"m1", {"a", "b"}}};
  EXPECT_EQ(Shown(AssignRange(two, {{"a", 3}, {"b", 3}})), (Expected{{"m1", "a/0 a/1 b/0 b/1"}, {"m2", "a/2 b/2"}}));
  EXPECT_EQ(Shown(AssignRange(two, {{"a", 1}})), (Expected{{"m1", "a/0"}, {"m2", ""}}));
}

TEST(AssignorsTest, RoundRobinGoesOnInTheNextTopic) {
  const std::vector<Subscriber> two{{"m1", {"a", "b"}}, {"m2", {"a", "b"}}};
  EXPECT_EQ(Shown(AssignRoundRobin(two, {{"a", 3}, {"b", 3}})),
            (Expected{{"m1", "a/0 a/2 b/1"}, {"m2", "a/1 b/0 b/2"}}));
}

TEST(AssignorsTest, OnlyWhoReadsATopicGetsItsPartitions) {
  const std::vector<Subscriber> three{{"m1", {"a"}}, {"m2", {"a", "b"}}, {"m3", {"none"}}};
  const PartitionCounts counts{{"a", 2}, {"b", 2}, {"nobody's", 2}};
  EXPECT_EQ(Shown(AssignRange(three, counts)), (Expected{{"m1", "a/0"}, {"m2", "a/1 b/0 b/1"}, {"m3", ""}}));
  EXPECT_EQ(Shown(AssignRoundRobin(three, counts)), (Expected{{"m1", "a/0"}, {"m2", "a/1 b/0 b/1"}, {"m3", ""}}));
}

}  // namespace
}  // namespace millrace::client
