// Goal: what is said of epochs is what Kafka's cache of leader epochs would say. Method: histories by their rows, asked
// at every epoch and at every offset around their borders.
#include "log/epoch_history.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

const PartitionKey kKey{TopicId(1), PartitionId(0)};

EpochRow Row(std::int32_t epoch, std::int64_t first) { return {kKey, LeaderEpoch(epoch), Offset(first)}; }
EpochHistory History(std::int32_t present, std::vector<EpochRow> rows, std::int64_t log_start = 0) {
  return {LeaderEpoch(present), rows, Offset(log_start)};
}
/// Epoch and end, asked for `epoch` of a log that ends at 200; {-1, -1}: none.
std::pair<std::int32_t, std::int64_t> End(const EpochHistory& history, std::int32_t epoch) {
  const auto end = history.EndOf(LeaderEpoch(epoch), Offset(200));
  return end ? std::pair(end->epoch.value(), end->end.value()) : std::pair<std::int32_t, std::int64_t>(-1, -1);
}
using Pair = std::pair<std::int32_t, std::int64_t>;

TEST(EpochHistoryTest, APartitionWithoutRowsHasBeenInItsEpochSinceItsFirstOffset) {
  const EpochHistory history(LeaderEpoch(2));
  EXPECT_EQ(history.present(), LeaderEpoch(2));
  EXPECT_EQ(history.At(Offset(0)), LeaderEpoch(2));
  EXPECT_EQ(history.At(Offset(500)), LeaderEpoch(2));
  EXPECT_EQ(End(history, 2), Pair(2, 200));
  EXPECT_EQ(End(history, 1), Pair(1, 0)) << "nothing was appended before it";
  EXPECT_EQ(End(history, 3), Pair(-1, -1));
  EXPECT_EQ(End(history, -1), Pair(-1, -1));
}

TEST(EpochHistoryTest, AnEpochEndsWhereTheNextOneThatHasRecordsBegins) {
  const EpochHistory history = History(4, {Row(3, 57), Row(4, 150)});
  EXPECT_EQ(End(history, 0), Pair(0, 57));
  EXPECT_EQ(End(history, 1), Pair(0, 57)) << "the largest at or below it";
  EXPECT_EQ(End(history, 2), Pair(0, 57));
  EXPECT_EQ(End(history, 3), Pair(3, 150));
  EXPECT_EQ(End(history, 4), Pair(4, 200));
  EXPECT_EQ(End(history, 5), Pair(-1, -1));
  EXPECT_EQ(history.At(Offset(0)), LeaderEpoch(0));
  EXPECT_EQ(history.At(Offset(56)), LeaderEpoch(0));
  EXPECT_EQ(history.At(Offset(57)), LeaderEpoch(3));
  EXPECT_EQ(history.At(Offset(149)), LeaderEpoch(3));
  EXPECT_EQ(history.At(Offset(150)), LeaderEpoch(4));
  EXPECT_EQ(history.At(Offset(200)), LeaderEpoch(4));
}

TEST(EpochHistoryTest, WhatIsBelowTheFirstEpochKnownEndsWhereThatOneBegan) {
  const EpochHistory history = History(4, {Row(3, 57), Row(4, 150)}, 60);  // rows of before are gone
  EXPECT_EQ(End(history, 0), Pair(0, 57));
  EXPECT_EQ(End(history, 2), Pair(2, 57)) << "as Kafka answers: under the epoch asked for";
  EXPECT_EQ(End(history, 3), Pair(3, 150));
  EXPECT_EQ(history.At(Offset(60)), LeaderEpoch(3));
}

TEST(EpochHistoryTest, AnEpochTakenWithoutARowHasNoRecords) {
  const EpochHistory history = History(6, {Row(4, 150)});
  EXPECT_EQ(End(history, 6), Pair(6, 200));
  EXPECT_EQ(End(history, 5), Pair(4, 200));
  EXPECT_EQ(End(history, 4), Pair(4, 200));
  EXPECT_EQ(history.At(Offset(170)), LeaderEpoch(4));
}

TEST(EpochHistoryTest, RowsThatCannotBeAreNotBelieved) {
  const EpochHistory history = History(4, {Row(3, 57), Row(2, 60), Row(4, 50), Row(9, 150)});
  EXPECT_EQ(End(history, 3), Pair(3, 200));
  EXPECT_EQ(history.At(Offset(199)), LeaderEpoch(3));
}

}  // namespace
}  // namespace millrace
