// Goal: a fault before has no effect, a fault after has one, each at the call chosen; a seed replays.
#include "meta/faulty_metadata_store.h"

#include <gtest/gtest.h>

#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

Result<std::optional<ChangeNumber>> Insert(MetadataStore& store, const char* name) {
  const MetadataWrite write{MetadataWrite::Kind::kInsert, StoreRow{name, 1, ""}};
  return store.Commit({}, {&write, 1});
}

std::size_t RowsIn(MetadataStore& store) { return store.Scan(StoreKey{}, EndOfTable{}, 100)->size(); }

TEST(FaultyMetadataStoreTest, FaultsComeBeforeOrAfterTheEffect) {
  auto memory = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore store(memory, 1);
  store.FailCall(2, MetadataFault::kBefore);
  EXPECT_TRUE(Insert(store, "a"));
  EXPECT_EQ(Insert(store, "b").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(RowsIn(*memory), 1u);
  store.FailCall(1, MetadataFault::kAfter);
  EXPECT_EQ(Insert(store, "b").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(RowsIn(*memory), 2u);
  store.FailCall(1, MetadataFault::kAfter);  // a call that fails by itself keeps its own error
  EXPECT_EQ(store.Scan(EndOfTable{}, EndOfTable{}, 1).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(store.calls(), 4u);
  EXPECT_EQ(store.fired(MetadataFault::kBefore), 1u);
  EXPECT_EQ(store.fired(MetadataFault::kAfter), 2u);
}

TEST(FaultyMetadataStoreTest, ACommitIsChosenAmongOtherCallsAndSilenceMayFollowIt) {
  auto memory = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore store(memory, 1);
  store.SetPlan({.silent_once_fired = true});
  store.FailCommit(2, MetadataFault::kAfter);
  EXPECT_EQ(RowsIn(store), 0u);
  EXPECT_TRUE(Insert(store, "a"));
  EXPECT_EQ(RowsIn(store), 1u);
  EXPECT_FALSE(Insert(store, "b"));
  EXPECT_FALSE(store.NowMs());
  EXPECT_FALSE(Insert(store, "c"));
  store.SetPlan({});
  EXPECT_EQ(RowsIn(store), 2u);
}

TEST(FaultyMetadataStoreTest, OfCommitsAloneNoReadFails) {
  auto memory = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore store(memory, 1);
  store.SetPlan({.after_per_million = 1'000'000, .commits_only = true});
  EXPECT_EQ(RowsIn(store), 0u);
  EXPECT_FALSE(Insert(store, "a"));
  EXPECT_EQ(RowsIn(store), 1u);
}

TEST(FaultyMetadataStoreTest, ASeedReplays) {
  const auto run = [](std::uint64_t seed) {
    FaultyMetadataStore store(std::make_shared<MemoryMetadataStore>(), seed);
    store.SetPlan({.before_per_million = 200'000, .after_per_million = 100'000});
    std::string outcomes;
    for (int i = 0; i < 500; ++i) outcomes += Catalog(store).Topics() ? '+' : '-';
    return outcomes;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace millrace
