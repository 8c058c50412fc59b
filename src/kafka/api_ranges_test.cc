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
  EXPECT_EQ(FindApiRange(1)->advertised.last, 17);  // what a node that follows sees
  EXPECT_EQ(FindApiRange(24), nullptr);             // transactions
  EXPECT_EQ(FindApiRange(-1), nullptr);
}

}  // namespace
}  // namespace millrace::kafka
