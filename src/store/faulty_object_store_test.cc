// Goal: each fault does what its name says, no more, and is counted; a seed replays.
#include "store/faulty_object_store.h"

#include <gtest/gtest.h>

#include "store/memory_object_store.h"

namespace millrace {
namespace {

class FaultyObjectStoreTest : public testing::Test {
 protected:
  Result<void> Put(ObjectStore& store, std::string_view key, std::string_view text) {
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    return store.Put(key, std::span(&bytes, 1), PutMode::kOverwrite);
  }

  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>();
  std::chrono::nanoseconds passed_{};
  FaultyObjectStore store_{memory_, 7, [this](std::chrono::nanoseconds time) { passed_ += time; }};
};

TEST_F(FaultyObjectStoreTest, AnErrorBeforeHasNoEffectAndAnErrorAfterHasIt) {
  store_.FailRequest(1, ObjectFault::kErrorBefore);
  store_.FailRequest(1, ObjectFault::kErrorBefore);
  EXPECT_EQ(Put(store_, "a", "x").error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(memory_->Head("a"));
  store_.FailRequest(2, ObjectFault::kErrorAfter);
  EXPECT_TRUE(Put(store_, "b", "x"));
  EXPECT_EQ(Put(store_, "a", "x").error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(memory_->Head("a"));
  store_.FailRequest(1, ObjectFault::kErrorAfter);
  EXPECT_FALSE(store_.Delete("a"));
  EXPECT_FALSE(memory_->Head("a"));
  EXPECT_EQ(store_.requests(), 4u);
  EXPECT_EQ(store_.fired(ObjectFault::kErrorAfter), 2u);
}

TEST_F(FaultyObjectStoreTest, BodiesComeShortOrWithOneFlippedBit) {
  const std::string text(100, 'x');
  ASSERT_TRUE(Put(store_, "a", text));
  for (int i = 0; i < 20; ++i) {
    store_.FailRequest(1, ObjectFault::kShortBody);
    auto body = store_.Get("a", {0, 100});
    ASSERT_TRUE(body);
    EXPECT_LT(body->size(), 100u);
    store_.FailRequest(1, ObjectFault::kCorruptBody);
    body = store_.Get("a", {0, 100});
    ASSERT_TRUE(body);
    ASSERT_EQ(body->size(), 100u);
    int bits = 0;
    for (const std::byte byte : body->bytes()) bits += std::popcount(static_cast<unsigned>(byte) ^ 'x');
    EXPECT_EQ(bits, 1);
  }
  EXPECT_EQ(AsText(*store_.Get("a", {0, 100})), text);
}

TEST_F(FaultyObjectStoreTest, AStaleListingMissesPutsAndKeepsDeletes) {
  ASSERT_TRUE(Put(*memory_, "known", "x"));
  ASSERT_TRUE(Put(*memory_, "deleted", "x"));
  ASSERT_TRUE(Put(store_, "new", "x"));
  ASSERT_TRUE(store_.Delete("deleted"));
  store_.FailRequest(1, ObjectFault::kStaleList);
  auto page = store_.List("", "", 10);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "known");
  EXPECT_EQ(page->objects[1].key, "deleted");
  page = store_.List("", "", 10);
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[1].key, "new");
}

TEST_F(FaultyObjectStoreTest, DelaysPassVirtualTime) {
  ObjectFaultPlan plan;
  plan.delay = std::chrono::milliseconds(30);
  store_.SetPlan(plan.Set(ObjectFault::kDelay, 1'000'000));
  ASSERT_TRUE(Put(store_, "a", "x"));
  ASSERT_TRUE(store_.Head("a"));
  EXPECT_EQ(passed_, std::chrono::milliseconds(60));
}

TEST_F(FaultyObjectStoreTest, ChancesAreMetAndASeedReplays) {
  ObjectFaultPlan plan;
  plan.Set(ObjectFault::kErrorBefore, 100'000).Set(ObjectFault::kErrorAfter, 50'000);
  const auto run = [&](std::uint64_t seed) {
    FaultyObjectStore store(std::make_shared<MemoryObjectStore>(), seed);
    store.SetPlan(plan);
    std::string outcomes;
    for (int i = 0; i < 2'000; ++i) outcomes += Put(store, "a", "x") ? '+' : '-';
    EXPECT_NEAR(static_cast<double>(store.fired(ObjectFault::kErrorBefore)), 200, 60);
    EXPECT_NEAR(static_cast<double>(store.fired(ObjectFault::kErrorAfter)), 100, 45);
    return outcomes;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace millrace
