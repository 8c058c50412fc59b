// Goal: a fault before has no effect, a fault after has one, each at the call chosen; a seed replays.
#include "meta/faulty_metadata_store.h"

#include <gtest/gtest.h>

#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

TEST(FaultyMetadataStoreTest, FaultsComeBeforeOrAfterTheEffect) {
  auto memory = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore store(memory, 1);
  store.FailCall(2, MetadataFault::kBefore);
  EXPECT_TRUE(store.CreateTopic("a", {}, "", 1));
  EXPECT_EQ(store.CreateTopic("b", {}, "", 1).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(memory->Topics()->size(), 1u);
  store.FailCall(1, MetadataFault::kAfter);
  EXPECT_EQ(store.CreateTopic("b", {}, "", 1).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(memory->Topics()->size(), 2u);
  store.FailCall(1, MetadataFault::kAfter);  // a call that fails by itself keeps its own error
  EXPECT_EQ(store.CreateTopic("b", {}, "", 1).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(store.calls(), 4u);
  EXPECT_EQ(store.fired(MetadataFault::kBefore), 1u);
  EXPECT_EQ(store.fired(MetadataFault::kAfter), 2u);
}

TEST(FaultyMetadataStoreTest, ASeedReplays) {
  const auto run = [](std::uint64_t seed) {
    FaultyMetadataStore store(std::make_shared<MemoryMetadataStore>(), seed);
    store.SetPlan({.before_per_million = 200'000, .after_per_million = 100'000});
    std::string outcomes;
    for (int i = 0; i < 500; ++i) outcomes += store.Topics() ? '+' : '-';
    return outcomes;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace millrace
