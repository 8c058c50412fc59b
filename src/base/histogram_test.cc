// Goal: percentiles are never below the truth and at most 3.2 % above. Method: known sets, and every power of two with
// its neighbours. Also counters.
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "base/counter.h"

namespace millrace {
namespace {

TEST(HistogramTest, EmptyIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.Percentile(50), 0U);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 60; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.count(), 60U);
  EXPECT_EQ(histogram.Percentile(50), 30U);
  EXPECT_EQ(histogram.Percentile(90), 54U);
  EXPECT_EQ(histogram.Percentile(100), 60U);
  EXPECT_EQ(histogram.Percentile(0.001), 1U);
}

TEST(HistogramTest, EveryOctaveIsKnownToAThirtieth) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::int64_t near : {-1, 0, 1}) {
      const std::uint64_t value = (std::uint64_t{1} << bit) + static_cast<std::uint64_t>(near);
      Histogram histogram;
      histogram.Record(value);
      histogram.Record(std::numeric_limits<std::uint64_t>::max());
      const std::uint64_t seen = histogram.Percentile(50);
      EXPECT_GE(seen, value);
      EXPECT_LE(seen - value, value / 31) << value;
    }
  }
}

TEST(HistogramTest, MaxIsExact) {
  Histogram histogram;
  histogram.Record(1'000'003);
  histogram.Record(5);
  EXPECT_EQ(histogram.max(), 1'000'003U);
  EXPECT_EQ(histogram.Percentile(100), 1'000'003U);
  EXPECT_EQ(histogram.Percentile(99), 1'000'003U);
}

TEST(HistogramTest, ThreadsLoseNothing) {
  Histogram one;
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    threads.emplace_back([&one, i] {
      for (std::uint64_t n = 0; n < 10'000; ++n) one.Record(i * 1000);
    });
  }
  threads.clear();
  EXPECT_EQ(one.count(), 40'000U);
  EXPECT_EQ(one.max(), 4000U);
}

TEST(CounterTest, ThreadsLoseNothing) {
  Counter counter;
  Gauge gauge;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter, &gauge] {
      for (int n = 0; n < 10'000; ++n) {
        counter.Add();
        gauge.Add(n % 2 == 0 ? 3 : -2);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(counter.value(), 40'000U);
  EXPECT_EQ(gauge.value(), 20'000);
  gauge.Set(-7);
  EXPECT_EQ(gauge.value(), -7);
}

}  // namespace
}  // namespace millrace
