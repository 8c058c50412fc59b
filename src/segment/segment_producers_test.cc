// Goal: a segment's producers are told as its batches tell of them, in bounds, and what is left out is said. Method:
// batches of chosen producers; more producers than there is room for.
#include "segment/segment_producers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "record/record_batch_builder.h"
#include "segment/segment_builder.h"

namespace millrace {
namespace {

SharedBytes Batch(std::int64_t id, std::int32_t sequence, std::int64_t base, int records = 1, std::int16_t epoch = 0) {
  const std::vector<Record> values(static_cast<std::size_t>(records), Record{.timestamp_ms = base, .value = "v"});
  BatchBuildOptions options;
  if (id >= 0) options.producer = ProducerStamp{.id = id, .epoch = epoch, .sequence = sequence};
  auto batch = *BuildRecordBatch(values, options);
  StampBatch(batch.bytes(), Offset(base), LeaderEpoch(0));
  return std::move(batch).Freeze();
}

void Add(SegmentProducers& to, const SharedBytes& batch) { to.Add(*RecordBatchView::Parse(batch)); }

TEST(SegmentProducersTest, TellsTheLastBatchesOfEachById) {
  SegmentProducers producers;
  for (int i = 0; i < 7; ++i) Add(producers, Batch(9, i * 2, 10 + i * 2, 2));
  Add(producers, Batch(-1, 0, 24));  // of nobody
  Add(producers, Batch(4, 500, 25, 1, 3));
  const auto told = producers.Take();
  ASSERT_EQ(told.producers.size(), 2U);
  EXPECT_EQ(told.left_out, 0U);
  EXPECT_EQ(told.producers[0].id, 4);
  EXPECT_EQ(told.producers[0].epoch, 3);
  const ProducerWindow& last = told.producers[1];
  EXPECT_EQ(last.id, 9);
  ASSERT_EQ(last.known().size(), 5U);
  EXPECT_EQ(last.known().front(), (ProducedBatch{.first = 4, .last = 5, .base = Offset(14), .timestamp_ms = 14}));
  EXPECT_EQ(last.known().back().base, Offset(22));
  EXPECT_TRUE(producers.Take().empty()) << "they were taken";
}

TEST(SegmentProducersTest, BeyondTheRoomThoseAreLeftOutThatWereHeardOfFirst) {
  SegmentProducers producers;
  const auto batch = Batch(0, 0, 0);
  constexpr std::int64_t kCount = 2 * kProducersMax + 5;
  for (std::int64_t i = 0; i < kCount; ++i) {
    Buffer copy(batch.size());
    std::ranges::copy(batch.bytes(), copy.bytes().begin());
    StampBatch(copy.bytes(), Offset(i), LeaderEpoch(0));
    StampProducer(copy.bytes(), {.id = kCount - i, .sequence = 0});
    Add(producers, std::move(copy).Freeze());
  }
  const auto told = producers.Take();
  ASSERT_EQ(told.producers.size(), kProducersMax);
  EXPECT_EQ(told.left_out, kCount - static_cast<std::int64_t>(kProducersMax));
  EXPECT_EQ(told.producers.front().id, 1) << "the last one";
  EXPECT_EQ(told.producers.front().known().back().base, Offset(kCount - 1));
  EXPECT_TRUE(std::ranges::is_sorted(told.producers, {}, &ProducerWindow::id));
  EXPECT_EQ(told.producers.back().id, static_cast<std::int64_t>(kProducersMax));
}

TEST(SegmentProducersTest, ASegmentTellsOfItsOwnBatchesOnly) {
  SegmentBuilder builder({.partition = {TopicId(1), PartitionId(0)}});
  ASSERT_TRUE(builder.Add(Batch(9, 0, 0)));
  ASSERT_TRUE(builder.Add(Batch(9, 1, 1)));
  const auto first = builder.Finish();
  ASSERT_TRUE(first);
  ASSERT_EQ(first->producers.producers.size(), 1U);
  EXPECT_EQ(first->producers.producers[0].known().size(), 2U);
  ASSERT_TRUE(builder.Add(Batch(9, 2, 2)));
  const auto second = builder.Finish();
  ASSERT_TRUE(second);
  ASSERT_EQ(second->producers.producers.size(), 1U);
  EXPECT_EQ(second->producers.producers[0].known().size(), 1U);
  ASSERT_TRUE(builder.Add(Batch(-1, 0, 3)));
  EXPECT_TRUE(builder.Finish()->producers.empty());
}

}  // namespace
}  // namespace millrace
