// What nobody refers to is removed from the store and then from metadata, many objects in one request; one that cannot
// be removed stays known, is named, and stops no other. Method: a memory store that counts its requests and refuses
// what it is told to. Concerns S31 (deletion follows what metadata knows).
#include "tier/object_collector.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "env/sim_clock.h"
#include "meta/memory_metadata_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

/// Deletes many in one request, all or nothing; refuses the keys in `stuck`.
class CountingStore final : public ObjectStore {
 public:
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    return inner_.Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override { return inner_.Get(key, range); }
  Result<ObjectDescription> Head(std::string_view key) override { return inner_.Head(key); }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    return inner_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override {
    ++requests;
    if (stuck.contains(key)) return Error(ErrorCode::kUnavailable, "stuck: " + std::string(key));
    return inner_.Delete(key);
  }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    ++requests;
    for (const std::string& key : keys)
      if (stuck.contains(key)) return Error(ErrorCode::kUnavailable, "one of them is stuck");
    return inner_.DeleteMany(keys);
  }
  [[nodiscard]] std::string Describe() const override { return "counting"; }

  std::set<std::string, std::less<>> stuck;
  int requests = 0;

 private:
  MemoryObjectStore inner_;
};

class ObjectCollectorTest : public testing::Test {
 protected:
  static constexpr std::chrono::minutes kGrace{10};

  /// An object that was stored and prepared, and never committed.
  void Abandoned(std::uint8_t number) {
    const std::string key = "objects/" + std::to_string(number);
    const SharedBytes bytes = SharedBytes::Copy(std::as_bytes(std::span("bytes")));
    ASSERT_TRUE(store_.Put(key, std::span(&bytes, 1), PutMode::kIfAbsent));
    ObjectRow row{.id = {number}, .key = key, .size_bytes = bytes.size(), .changed_ms = clock_.WallMs()};
    ASSERT_TRUE(metadata_.PrepareObject(row));
  }
  bool Stored(std::uint8_t number) { return store_.Head("objects/" + std::to_string(number)).has_value(); }
  bool Known(std::uint8_t number) { return metadata_.FindObject({number})->has_value(); }

  SimClock clock_;
  CountingStore store_;
  MemoryMetadataStore metadata_;
  ObjectCollector collector_{
      {.key_prefix = "objects/", .delete_grace = kGrace, .prepared_grace = kGrace}, store_, metadata_, clock_};
};

TEST_F(ObjectCollectorTest, ManyGoInOneRequestAfterBothGraces) {
  for (std::uint8_t number = 1; number <= 5; ++number) Abandoned(number);
  ASSERT_TRUE(collector_.CollectOnce());
  EXPECT_TRUE(Known(1) && Stored(1));
  clock_.Advance(kGrace);
  ASSERT_TRUE(collector_.CollectOnce());  // prepared for too long: deleting from now on
  EXPECT_TRUE(Known(1) && Stored(1));
  EXPECT_EQ(store_.requests, 0);
  clock_.Advance(kGrace);
  ASSERT_TRUE(collector_.CollectOnce());
  for (std::uint8_t number = 1; number <= 5; ++number) EXPECT_FALSE(Known(number) || Stored(number));
  EXPECT_EQ(store_.requests, 1);
  EXPECT_EQ(collector_.deleted(), 5U);
}

TEST_F(ObjectCollectorTest, OneThatIsStuckIsNamedAndStopsNoOther) {
  for (std::uint8_t number = 1; number <= 3; ++number) Abandoned(number);
  clock_.Advance(kGrace);
  ASSERT_TRUE(collector_.CollectOnce());
  clock_.Advance(kGrace);
  store_.stuck = {"objects/2"};
  const Result<bool> collected = collector_.CollectOnce();
  ASSERT_FALSE(collected);
  EXPECT_NE(collected.error().ToString().find("objects/2"), std::string::npos) << collected.error().ToString();
  EXPECT_FALSE(Known(1) || Stored(1) || Known(3) || Stored(3));
  EXPECT_TRUE(Known(2) && Stored(2));
  store_.stuck.clear();
  ASSERT_TRUE(collector_.CollectOnce());
  EXPECT_FALSE(Known(2) || Stored(2));
  EXPECT_EQ(collector_.deleted(), 3U);
}

TEST_F(ObjectCollectorTest, ManyThatAreStuckHideNoOtherAndAreTriedAfterGrowingPauses) {
  for (int number = 1; number <= 250; ++number) Abandoned(static_cast<std::uint8_t>(number));
  clock_.Advance(kGrace);
  while (collector_.CollectStep().more) {
  }
  clock_.Advance(kGrace);
  for (int number = 1; number <= 150; ++number) store_.stuck.insert("objects/" + std::to_string(number));
  ObjectCollector::Step step{.more = true};
  std::optional<Error> failure;
  for (int i = 0; i < 10 && step.more; ++i) {
    step = collector_.CollectStep();
    if (step.failure) failure = step.failure;
    clock_.Advance(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(failure);
  for (int i = 0; i < 4; ++i) (void)collector_.CollectStep();
  for (int number = 151; number <= 250; ++number) EXPECT_FALSE(Known(static_cast<std::uint8_t>(number))) << number;
  EXPECT_EQ(collector_.refused(), 150U);
  const int requests = store_.requests;
  EXPECT_FALSE(collector_.CollectStep().failure);  // all of them pause
  EXPECT_EQ(store_.requests, requests);
  store_.stuck.clear();
  clock_.Advance(std::chrono::hours(24));
  while (collector_.CollectStep().more) {
  }
  EXPECT_EQ(collector_.refused(), 0U);
  EXPECT_EQ(collector_.deleted(), 250U);
}

}  // namespace
}  // namespace millrace
