// Goal: what members of a group tell each other reads back as it was written, as other clients write it, and nothing
// that is cut or lies is taken for it. Method: round trips, bytes as Kafka's own client writes them, a cut at each
// byte.
#include "kafka/consumer_protocol.h"

#include <gtest/gtest.h>

namespace millrace::kafka {
namespace {

using namespace std::string_view_literals;

TEST(ConsumerProtocolTest, ASubscriptionIsReadAsItWasWritten) {
  const std::vector<std::string> topics{"orders", "t", ""};
  EXPECT_EQ(ReadSubscription(EncodeSubscription(topics)), topics);
  EXPECT_EQ(EncodeSubscription(std::vector<std::string>{"t"}), "\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"sv);
}

TEST(ConsumerProtocolTest, NewerSubscriptionsAreReadAsFarAsTheTopics) {
  // Version 3 of a client with owned partitions, a generation and a rack.
  EXPECT_EQ(ReadSubscription("\0\3\0\0\0\1\0\1t\xff\xff\xff\xff\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\7\xff\xff"sv),
            std::vector<std::string>{"t"});
}

TEST(ConsumerProtocolTest, AnAssignmentIsReadAsItWasWritten) {
  const std::vector<TopicPartition> given{{"a", PartitionId(0)}, {"b", PartitionId(7)}, {"a", PartitionId(2)}};
  const std::vector<TopicPartition> sorted{{"a", PartitionId(0)}, {"a", PartitionId(2)}, {"b", PartitionId(7)}};
  EXPECT_EQ(ReadAssignment(EncodeAssignment(given)), sorted);
  EXPECT_EQ(ReadAssignment(""), std::vector<TopicPartition>());
  EXPECT_EQ(ReadAssignment(EncodeAssignment({})), std::vector<TopicPartition>());
}

TEST(ConsumerProtocolTest, WhatIsCutIsRefused) {
  const std::string subscription = EncodeSubscription(std::vector<std::string>{"orders", "t"});
  for (std::size_t size = 0; size < subscription.size() - 4; ++size)
    EXPECT_FALSE(ReadSubscription(std::string_view(subscription).substr(0, size))) << size;
  const std::vector<TopicPartition> partitions{{"orders", PartitionId(0)}, {"orders", PartitionId(1)}};
  const std::string assignment = EncodeAssignment(partitions);
  for (std::size_t size = 1; size < assignment.size() - 4; ++size)
    EXPECT_FALSE(ReadAssignment(std::string_view(assignment).substr(0, size))) << size;
}

TEST(ConsumerProtocolTest, CountsAndLengthsThatLieAreRefused) {
  EXPECT_FALSE(ReadSubscription("\0\0\x7f\xff\xff\xff\0\1t"sv));
  EXPECT_FALSE(ReadSubscription("\0\0\xff\xff\xff\xff"sv));
  EXPECT_FALSE(ReadSubscription("\xff\xff\0\0\0\0"sv));
  EXPECT_FALSE(ReadSubscription("\0\0\0\0\0\1\xff\xff"sv));
  EXPECT_FALSE(ReadAssignment("\0\0\0\0\0\1\0\1t\x7f\xff\xff\xff\0\0\0\0"sv));
  EXPECT_FALSE(ReadAssignment("\0\0\0\0\0\1\0\1t\0\0\0\1\xff\xff\xff\xff"sv));
}

}  // namespace
}  // namespace millrace::kafka
