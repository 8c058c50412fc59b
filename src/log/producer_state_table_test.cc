// Goal: the table answers each batch as the rules of docs/producers.md say, and keeps to its bounds. Method: a row of
// the rules a test; a storm of batches beside a model that remembers everything.
#include "log/producer_state_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "env/seeded_random.h"

namespace millrace {
namespace {

using enum ProducerStateTable::Verdict;
constexpr std::int32_t kLastSequence = std::numeric_limits<std::int32_t>::max();
constexpr WalStream kStream(7);
constexpr Offset kAnyEnd(1'000'000);

class ProducerStateTableTest : public testing::Test {
 protected:
  static ProducerBatch Batch(std::int32_t first, std::int32_t count = 1, std::int16_t epoch = 0, std::int64_t id = 1) {
    return {.id = id, .epoch = epoch, .first = first, .count = count};
  }
  /// Judged, and recorded if it may be appended.
  ProducerStateTable::Verdict Send(const ProducerBatch& batch, WalStream stream = kStream) {
    last_ = table_.Judge(stream, batch, kAnyEnd);
    if (last_.verdict != kAppend) return last_.verdict;
    const WalPosition begin(wal_end_);
    wal_end_ += 100;
    table_.Record(stream, batch, {.base = Offset(end_), .timestamp_ms = end_ * 10, .extent = {begin, begin + 100}});
    end_ += batch.count;
    return kAppend;
  }

  ProducerStateTable table_{{.states_max = 4, .expiry = std::chrono::milliseconds(1'000)}};
  ProducerStateTable::Judgement last_;
  std::int64_t end_ = 0, wal_end_ = 0;
};

TEST_F(ProducerStateTableTest, OfWhomNothingIsKnownMayBeginAnywhere) {
  EXPECT_EQ(Send(Batch(500)), kAppend);
  EXPECT_EQ(Send(Batch(501)), kAppend);
  EXPECT_EQ(Send(Batch(500)), kRepeated);
}

TEST_F(ProducerStateTableTest, TheLastFiveBatchesAreKnownByFirstAndLastNumberAndTheSixthBeforeIsNot) {
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Send(Batch(i * 2, 2)), kAppend);
  for (int i = 1; i < 6; ++i) {
    EXPECT_EQ(Send(Batch(i * 2, 2)), kRepeated) << i;
    EXPECT_EQ(last_.first_time.base, Offset(i * 2));
    EXPECT_EQ(last_.first_time.end(), Offset(i * 2 + 2));
    EXPECT_EQ(last_.first_time.timestamp_ms, i * 20);
  }
  EXPECT_EQ(Send(Batch(0, 2)), kOutOfOrder) << "never a success on suspicion";
  EXPECT_EQ(last_.expected, 12);
  EXPECT_EQ(Send(Batch(2, 1)), kOutOfOrder) << "a part of one";
  EXPECT_EQ(Send(Batch(3, 2)), kOutOfOrder) << "parts of two";
  EXPECT_EQ(Send(Batch(10, 3)), kOutOfOrder) << "one and more";
  EXPECT_EQ(Send(Batch(13)), kOutOfOrder) << "a gap";
  EXPECT_EQ(Send(Batch(12)), kAppend);
}

TEST_F(ProducerStateTableTest, AnOlderEpochIsRefusedAndAHigherOneBeginsAtZero) {
  EXPECT_EQ(Send(Batch(0, 1, 3)), kAppend);
  EXPECT_EQ(Send(Batch(1, 1, 2)), kOldEpoch);
  EXPECT_EQ(last_.epoch, 3);
  EXPECT_EQ(Send(Batch(0, 1, 2)), kOldEpoch) << "its number does not matter";
  EXPECT_EQ(Send(Batch(1, 1, 4)), kOutOfOrder);
  EXPECT_EQ(last_.expected, 0);
  EXPECT_EQ(Send(Batch(0, 1, 4)), kAppend);
  EXPECT_EQ(last_.verdict, kAppend);
  EXPECT_EQ(Send(Batch(0, 1, 4)), kRepeated);
  EXPECT_EQ(last_.first_time.base, Offset(1)) << "the window began anew";
  EXPECT_EQ(Send(Batch(0, 1, 3)), kOldEpoch);
}

TEST_F(ProducerStateTableTest, NumbersGoRoundAtTwoToTheThirtyFirst) {
  EXPECT_EQ(Send(Batch(kLastSequence - 1, 3)), kAppend);  // ends with number 0
  EXPECT_EQ(Send(Batch(2)), kOutOfOrder);
  EXPECT_EQ(last_.expected, 1);
  EXPECT_EQ(Send(Batch(kLastSequence - 1, 3)), kRepeated);
  EXPECT_EQ(last_.first_time.end() - last_.first_time.base, 3);
  EXPECT_EQ(Send(Batch(1)), kAppend);
  EXPECT_EQ(SequenceAfter(kLastSequence), 0);
}

TEST_F(ProducerStateTableTest, PartitionsAndProducersHaveNumbersOfTheirOwn) {
  EXPECT_EQ(Send(Batch(0)), kAppend);
  EXPECT_EQ(Send(Batch(0, 1, 0, 2)), kAppend);
  EXPECT_EQ(Send(Batch(0), WalStream(8)), kAppend);
  table_.Forget(kStream);
  EXPECT_EQ(table_.counts().states, 1U);
  EXPECT_EQ(Send(Batch(0)), kAppend) << "a partition that is gone is forgotten";
  EXPECT_EQ(Send(Batch(0), WalStream(8)), kRepeated);
}

TEST_F(ProducerStateTableTest, WhoWasHeardOfLeastRecentlyGoesFirst) {
  for (std::int64_t id = 1; id <= 4; ++id) ASSERT_EQ(Send(Batch(0, 1, 0, id)), kAppend);
  EXPECT_EQ(Send(Batch(0, 1, 0, 1)), kRepeated);  // heard of
  EXPECT_EQ(Send(Batch(0, 1, 0, 5)), kAppend);
  EXPECT_EQ(table_.counts().states, 4U);
  EXPECT_EQ(table_.counts().evicted, 1U);
  EXPECT_EQ(Send(Batch(0, 1, 0, 1)), kRepeated);
  EXPECT_EQ(Send(Batch(0, 1, 0, 2)), kAppend) << "it went";
}

TEST_F(ProducerStateTableTest, WhoWasNotHeardOfForLongIsForgottenAndTimeThatGoesBackForgetsNobody) {
  table_.Expire(50'000);
  ASSERT_EQ(Send(Batch(0, 1, 0, 1)), kAppend);
  table_.Expire(50'900);
  ASSERT_EQ(Send(Batch(0, 1, 0, 2)), kAppend);
  table_.Expire(10);
  table_.Expire(51'000);
  EXPECT_EQ(Send(Batch(0, 1, 0, 1)), kRepeated) << "just as long as the limit";
  table_.Expire(51'901);
  EXPECT_EQ(table_.counts().expired, 1U);
  EXPECT_EQ(Send(Batch(0, 1, 0, 1)), kRepeated) << "it was heard of meanwhile";
  EXPECT_EQ(Send(Batch(9, 1, 0, 2)), kAppend);
}

TEST_F(ProducerStateTableTest, ABatchThatIsNotInTheLogIsNoGround) {
  ASSERT_EQ(Send(Batch(0, 5)), kAppend);
  EXPECT_EQ(table_.Judge(kStream, Batch(0, 5), Offset(5)).verdict, kRepeated);
  EXPECT_EQ(table_.Judge(kStream, Batch(0, 5), Offset(4)).verdict, kAppend);
  EXPECT_EQ(table_.counts().states, 0U);
}

TEST_F(ProducerStateTableTest, FramesBringBackWhatTheCheckpointDoesNotTellAndNothingTwice) {
  std::vector<std::pair<ProducerBatch, ProducedAt>> frames;
  std::vector<std::vector<ProducerState>> after;
  for (std::int32_t i = 0; i < 9; ++i) {
    const std::int16_t epoch = i < 6 ? 0 : 1;
    const ProducerBatch batch = Batch(i < 6 ? i : i - 6, 1, epoch);
    const ProducedAt at{
        .base = Offset(i), .timestamp_ms = i, .extent = {WalPosition(i * 100), WalPosition(i * 100 + 90)}};
    table_.Record(kStream, batch, at);
    frames.emplace_back(batch, at);
    after.push_back(table_.All());
  }
  for (std::size_t told = 0; told < frames.size(); ++told) {
    for (std::size_t first = 0; first <= told + 1 && first < frames.size(); ++first) {
      ProducerStateTable again;
      again.Restore(after[told]);
      for (std::size_t i = first; i < frames.size(); ++i) again.Recover(kStream, frames[i].first, frames[i].second);
      EXPECT_EQ(again.All(), after.back()) << told << " " << first;
    }
  }
  ProducerStateTable alone;
  for (const auto& [batch, at] : frames) alone.Recover(kStream, batch, at);
  EXPECT_EQ(alone.All(), after.back());
  ProducerBatch none = frames[0].first;
  none.id = -1;
  ProducerStateTable empty;
  empty.Recover(kStream, none, frames[0].second);
  EXPECT_TRUE(empty.All().empty());
}

TEST_F(ProducerStateTableTest, MoreThanItHoldsIsRestoredFromTheNewestOn) {
  ProducerStateTable large;
  for (std::int64_t id = 1; id <= 6; ++id)
    large.Record(kStream, Batch(0, 1, 0, id), {.base = Offset(id), .extent = {WalPosition(0), WalPosition(1)}});
  table_.Restore(large.All());
  EXPECT_EQ(table_.counts().states, 4U);
  EXPECT_EQ(table_.Judge(kStream, Batch(0, 1, 0, 6), kAnyEnd).verdict, kRepeated);
  EXPECT_EQ(table_.Judge(kStream, Batch(0, 1, 0, 2), kAnyEnd).verdict, kAppend);
  table_.Clear();
  EXPECT_EQ(table_.counts().states, 0U);
}

/// A model that remembers every batch: what it calls new is appended or refused, never answered as there; what is there
/// is never appended again while its producer is known and it is among the last five.
TEST_F(ProducerStateTableTest, InAStormNothingIsAppendedTwiceAndNothingNewIsCalledOld) {
  ProducerStateTable table;
  SeededRandom random(3);
  struct Model {
    std::int16_t epoch = 0;
    std::vector<std::pair<ProducerBatch, Offset>> appended;  // of this epoch
  };
  std::map<std::int64_t, Model> models;
  std::int64_t end = 0;
  int repeated = 0, refused = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<std::int64_t>(random.Below(5));
    Model& model = models[id];
    const auto next = model.appended.empty() ? 0 : SequenceAfter(model.appended.back().first.last());
    ProducerBatch batch{
        .id = id, .epoch = model.epoch, .first = next, .count = 1 + static_cast<std::int32_t>(random.Below(3))};
    if (!model.appended.empty() && random.OneIn(3))
      batch = model.appended[model.appended.size() - 1 - random.Below(std::min<std::size_t>(model.appended.size(), 8))]
                  .first;
    if (random.OneIn(20)) batch.first = static_cast<std::int32_t>(random.Below(40));
    if (random.OneIn(50))
      batch.epoch = static_cast<std::int16_t>(batch.epoch + 1 - 2 * static_cast<int>(random.Below(2)));
    if (batch.epoch < 0) continue;
    const auto judged = table.Judge(kStream, batch, Offset(end));
    const auto same = [&](const auto& known) {
      return known.first.first == batch.first && known.first.count == batch.count;
    };
    const bool ours = batch.epoch == model.epoch;
    const auto begin = model.appended.size() > 5 ? model.appended.end() - 5 : model.appended.begin();
    const auto found = ours ? std::find_if(begin, model.appended.end(), same) : model.appended.end();
    if (found != model.appended.end()) {
      ASSERT_EQ(judged.verdict, kRepeated);
      EXPECT_EQ(judged.first_time.base, found->second);
      ++repeated;
    } else if (batch.epoch < model.epoch && !model.appended.empty()) {
      ASSERT_EQ(judged.verdict, kOldEpoch);
      ++refused;
    } else if (model.appended.empty() || (ours ? batch.first == next : batch.first == 0)) {
      ASSERT_EQ(judged.verdict, kAppend);
      if (!ours) model = {.epoch = batch.epoch, .appended = {}};
      model.appended.emplace_back(batch, Offset(end));
      table.Record(kStream, batch, {.base = Offset(end), .extent = {WalPosition(step), WalPosition(step + 1)}});
      end += batch.count;
    } else {
      ASSERT_EQ(judged.verdict, kOutOfOrder);
      ++refused;
    }
  }
  EXPECT_GT(repeated, 2'000);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace millrace
