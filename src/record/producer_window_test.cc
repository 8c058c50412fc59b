// Goal: a window holds the last batches that follow each other, and nothing that Push could not make passes for one.
// Method: pushes by hand, and one field spoilt at a time.
#include "record/producer_window.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <vector>

namespace millrace {
namespace {

constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();

ProducedBatch Batch(std::int32_t first, std::int64_t base, std::int32_t count = 1) {
  return {.first = first, .last = SequenceAfter(first, count - 1), .base = Offset(base), .timestamp_ms = base * 10};
}

TEST(ProducerWindowTest, HoldsTheLastFiveOldestFirst) {
  ProducerWindow window{.id = 3};
  for (int i = 0; i < 7; ++i) window.Push(0, Batch(i * 2, 100 + i * 2, 2));
  ASSERT_EQ(window.known().size(), 5U);
  EXPECT_EQ(window.known().front(), Batch(4, 104, 2));
  EXPECT_EQ(window.known().back(), Batch(12, 112, 2));
  EXPECT_EQ(window.known().back().end(), Offset(114));
  EXPECT_TRUE(window.CanBe());
}

TEST(ProducerWindowTest, BeginsAnewWithAnotherEpochAndWithANumberThatDoesNotFollow) {
  ProducerWindow window{.id = 3};
  window.Push(0, Batch(0, 0));
  window.Push(0, Batch(1, 1));
  window.Push(0, Batch(9, 2));
  EXPECT_EQ(window.known().size(), 1U);
  window.Push(0, Batch(10, 3));
  window.Push(1, Batch(11, 4));
  ASSERT_EQ(window.known().size(), 1U);
  EXPECT_EQ(window.epoch, 1);
  EXPECT_EQ(window.known()[0], Batch(11, 4));
}

TEST(ProducerWindowTest, NumbersGoAround) {
  ProducerWindow window{.id = 3};
  window.Push(0, Batch(kLast - 1, 5, 3));
  window.Push(0, Batch(1, 8));
  ASSERT_EQ(window.known().size(), 2U);
  EXPECT_EQ(window.known()[0].count(), 3);
  EXPECT_TRUE(window.CanBe());
  EXPECT_EQ((ProducedBatch{.first = 0, .last = kLast}).count(), std::int64_t{1} << 31);
}

TEST(ProducerWindowTest, IsComparedByWhatItKnows) {
  ProducerWindow one{.id = 3}, other{.id = 3};
  one.Push(0, Batch(5, 0));
  one.Push(0, Batch(7, 1));
  other.Push(0, Batch(7, 1));
  EXPECT_EQ(one, other);
  other.Push(0, Batch(8, 2));
  EXPECT_NE(one, other);
}

TEST(ProducerWindowTest, WhatPushCouldNotMakeIsTold) {
  const auto good = [] {
    ProducerWindow window{.id = 3};
    window.Push(0, Batch(0, 10, 2));
    window.Push(0, Batch(2, 12));
    return window;
  };
  ASSERT_TRUE(good().CanBe());
  EXPECT_FALSE(ProducerWindow{.id = 3}.CanBe()) << "no batch";
  for (const auto& spoil : std::vector<std::function<void(ProducerWindow&)>>{
           [](ProducerWindow& w) { w.id = -1; }, [](ProducerWindow& w) { w.epoch = -1; },
           [](ProducerWindow& w) { w.batch_count = 6; }, [](ProducerWindow& w) { w.batches[0].first = -1; },
           [](ProducerWindow& w) { w.batches[1].last = -1; }, [](ProducerWindow& w) { w.batches[0].base = Offset(-1); },
           [](ProducerWindow& w) { w.batches[1].base = Offset(std::numeric_limits<std::int64_t>::max()); },
           [](ProducerWindow& w) { w.batches[1].base = Offset(11); },
           [](ProducerWindow& w) { w.batches[1].first = 3; }}) {
    ProducerWindow window = good();
    spoil(window);
    EXPECT_FALSE(window.CanBe());
  }
}

}  // namespace
}  // namespace millrace
