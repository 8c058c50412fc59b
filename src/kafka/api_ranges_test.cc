// Goal: what is advertised and what is accepted. That both fit the tables is checked by the compiler.
#include "kafka/api_ranges.h"

#include <gtest/gtest.h>

#include "kafka/messages/api_keys.h"

namespace millrace::kafka {
namespace {

TEST(ApiRangesTest, ProduceIsAdvertisedFromZeroAndAcceptedFromThree) {
  const ApiRange* produce = FindApiRange(0);
  ASSERT_NE(produce, nullptr);
  EXPECT_EQ(produce->name, "Produce");
  EXPECT_EQ(produce->advertised, (VersionRange{0, 11}));
  EXPECT_EQ(produce->accepted, (VersionRange{3, 11}));
}

TEST(ApiRangesTest, AllOthersAcceptWhatTheyAdvertise) {
  for (const ApiRange& api : ApiRanges()) {
    if (api.key != 0) EXPECT_EQ(api.advertised, api.accepted) << api.name;
  }
}

TEST(ApiRangesTest, WhatHasNoMeaningYetIsNotAdvertised) {
  EXPECT_TRUE(FindApiRange(10)->advertised.empty());  // groups
  EXPECT_EQ(FindApiRange(1)->advertised.last, 12);    // sessions
  EXPECT_EQ(FindApiRange(11), nullptr);
  EXPECT_EQ(FindApiRange(-1), nullptr);
}

}  // namespace
}  // namespace millrace::kafka
