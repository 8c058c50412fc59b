// Objects no segment refers to are removed from the store and then from metadata, many in one request; one that cannot
// be removed stays known, is named, and stops no other. Method: a memory store that counts its requests and refuses
// what it is told to. Concerns S31 (deletion follows what metadata knows).
#include "tier/object_collector.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/home_catalog.h"
#include "meta/memory_metadata_store.h"
#include "millrace/request_scope.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"
#include "tier/log_snapshots.h"
#include "tier/store_claim.h"
#include "tier/store_keys.h"

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
    ASSERT_TRUE(Catalog(metadata_).PrepareObject(row));
  }
  bool Stored(std::uint8_t number) { return store_.Head("objects/" + std::to_string(number)).has_value(); }
  bool Known(std::uint8_t number) { return Catalog(metadata_).FindObject({number})->has_value(); }

  SimClock clock_;
  CountingStore store_;
  MemoryMetadataStore metadata_;
  SeededRandom random_{1};
  MemoryObjectStore elsewhere_;
  StoreClaim claim_{{.claims = false}, {"objects/", "id"}, elsewhere_, metadata_, clock_, random_};
  LogSnapshots snapshots_{claim_, elsewhere_, metadata_, clock_};
  ObjectCollector collector_{
      {.delete_grace = kGrace, .prepared_grace = kGrace}, claim_, snapshots_, store_, metadata_, clock_};
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
  EXPECT_EQ(collector_.refused(), 0U);
}

TEST_F(ObjectCollectorTest, ARefusalIsForgottenOnceSomebodyElseHasRemovedTheObject) {
  Abandoned(1);
  store_.stuck = {"objects/1"};
  clock_.Advance(kGrace);
  ASSERT_TRUE(collector_.CollectOnce());
  clock_.Advance(kGrace);
  EXPECT_FALSE(collector_.CollectOnce());
  EXPECT_EQ(collector_.refused(), 1U);
  ASSERT_TRUE(Catalog(metadata_).ForgetObject({1}));
  ASSERT_TRUE(collector_.CollectOnce());
  EXPECT_EQ(collector_.refused(), 0U);
}

TEST_F(ObjectCollectorTest, OneThatCannotBeGivenUpIsToldAndStopsNoOtherAndACommittedOneIsNoFailure) {
  for (const bool committed : {false, true}) {
    const auto rows = std::make_shared<MemoryMetadataStore>();
    FaultyMetadataStore metadata(rows, 1);
    ObjectCollector collector({.delete_grace = kGrace, .prepared_grace = kGrace}, claim_, snapshots_, store_, metadata,
                              clock_);
    for (std::uint8_t number = 1; number <= 2; ++number)
      ASSERT_TRUE(
          Catalog(*rows).PrepareObject({.id = {number}, .key = std::to_string(number), .changed_ms = clock_.WallMs()}));
    clock_.Advance(kGrace);
    metadata.SetPlan({.code = committed ? ErrorCode::kAlreadyExists : ErrorCode::kUnavailable});
    metadata.FailCall(2, MetadataFault::kBefore);  // the first one's
    EXPECT_EQ(collector.CollectStep().failure.has_value(), !committed);
    EXPECT_EQ(Catalog(*rows).FindObject({1})->value().state, ObjectState::kPrepared);
    EXPECT_EQ(Catalog(*rows).FindObject({2})->value().state, ObjectState::kDeleting);
  }
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

TEST_F(ObjectCollectorTest, WhatAnEarlierProcessWasRefusedIsToldUntilItHasGone) {
  const auto next_process = [&] {
    auto next =
        std::make_unique<ObjectCollector>(ObjectCollectorOptions{.delete_grace = kGrace, .prepared_grace = kGrace},
                                          claim_, snapshots_, store_, metadata_, clock_);
    EXPECT_TRUE(next->Load());
    return next;
  };
  EXPECT_EQ(next_process()->undeletable(), RefusedDeletions());
  for (int number = 1; number <= 180; ++number) Abandoned(static_cast<std::uint8_t>(number));
  clock_.Advance(kGrace);
  while (collector_.CollectStep().more) {
  }
  clock_.Advance(kGrace);
  for (int number = 1; number <= 150; ++number) store_.stuck.insert("objects/" + std::to_string(number));
  const std::int64_t refused_ms = clock_.WallMs();
  while (collector_.CollectStep().more) {
  }
  EXPECT_EQ(collector_.undeletable().objects, 150U);
  EXPECT_TRUE(collector_.undeletable().why.contains("objects/1")) << collector_.undeletable().why;
  clock_.Advance(std::chrono::hours(1));
  auto next = next_process();
  EXPECT_EQ(next->undeletable(), collector_.undeletable());
  EXPECT_EQ(next->undeletable().since_ms, refused_ms);
  // Those that are stuck come first by their age, and hold up no other in this process either.
  Abandoned(200);
  clock_.Advance(kGrace);
  while (next->CollectStep().more) {
  }
  clock_.Advance(kGrace);
  while (next->CollectStep().more) {
  }
  EXPECT_FALSE(Known(200));
  EXPECT_EQ(next->undeletable().objects, 150U);
  EXPECT_EQ(next->undeletable().since_ms, refused_ms);
  store_.stuck.clear();
  next = next_process();
  EXPECT_EQ(next->undeletable().objects, 150U);
  while (next->CollectStep().more) {
  }
  EXPECT_EQ(next->undeletable(), RefusedDeletions());
  EXPECT_EQ(next_process()->undeletable(), RefusedDeletions());
}

TEST_F(ObjectCollectorTest, WhatWasRefusedGoesBehindWhatWasNeverTried) {
  const auto collect = [&] {
    clock_.Advance(kGrace);
    return collector_.CollectStep();
  };
  for (int number = 1; number <= 60; ++number) {
    Abandoned(static_cast<std::uint8_t>(number));
    store_.stuck.insert("objects/" + std::to_string(number));
  }
  collect();
  collect();
  EXPECT_EQ(collector_.refused(), 60U);
  for (int number = 101; number <= 180; ++number) Abandoned(static_cast<std::uint8_t>(number));
  collect();
  EXPECT_TRUE(collect().more);  // more than a page is due, and the refused ones are older
  for (int number = 101; number <= 180; ++number) EXPECT_FALSE(Known(static_cast<std::uint8_t>(number))) << number;
}

TEST_F(ObjectCollectorTest, ThereIsMoreWhileAPageIsFull) {
  for (int number = 1; number <= 100; ++number) Abandoned(static_cast<std::uint8_t>(number));
  clock_.Advance(kGrace);
  EXPECT_TRUE(*collector_.CollectOnce());
  EXPECT_FALSE(*collector_.CollectOnce());
  clock_.Advance(kGrace);
  for (int number = 101; number <= 150; ++number) Abandoned(static_cast<std::uint8_t>(number));
  EXPECT_TRUE(*collector_.CollectOnce());  // all hundred, and perhaps more
  EXPECT_EQ(collector_.deleted(), 100U);
  clock_.Advance(kGrace);
  EXPECT_FALSE(*collector_.CollectOnce());
}

TEST_F(ObjectCollectorTest, ACallerWithoutTimeDoesNothingMoreAndHearsThatThereIs) {
  Abandoned(1);
  clock_.Advance(kGrace);
  std::stop_source stop;
  stop.request_stop();
  {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_TRUE(collector_.CollectStep().more);
  }
  EXPECT_EQ(Catalog(metadata_).FindObject({1})->value().state, ObjectState::kPrepared);
  ASSERT_TRUE(collector_.CollectOnce());
  clock_.Advance(kGrace);
  {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_TRUE(collector_.CollectStep().more);
  }
  EXPECT_EQ(store_.requests, 0);
  EXPECT_TRUE(Known(1) && Stored(1));
}

TEST_F(ObjectCollectorTest, ARequestThatEndedWithItsCallerWasNotRefused) {
  Abandoned(1);
  clock_.Advance(kGrace);
  ASSERT_TRUE(collector_.CollectOnce());
  clock_.Advance(kGrace);
  std::stop_source stop;
  FaultyObjectStore store(std::make_shared<MemoryObjectStore>(), 1, [&](auto) { stop.request_stop(); });
  store.SetPlan(ObjectFaultPlan{.delay = std::chrono::nanoseconds(1)}
                    .Set(ObjectFault::kDelay, 1'000'000)
                    .Set(ObjectFault::kErrorBefore, 1'000'000));
  ObjectCollector collector({.delete_grace = kGrace, .prepared_grace = kGrace}, claim_, snapshots_, store, metadata_,
                            clock_);
  {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_TRUE(collector.CollectStep().failure);
  }
  EXPECT_EQ(collector.refused(), 0U);
  EXPECT_TRUE(collector.CollectStep().failure);  // of a caller who would have waited
  EXPECT_EQ(collector.refused(), 1U);
}

TEST_F(ObjectCollectorTest, WhatMetadataCannotForgetIsDeletedOnceMoreLater) {
  const auto rows = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore metadata(rows, 1);
  ObjectCollector collector({.delete_grace = kGrace, .prepared_grace = kGrace}, claim_, snapshots_, store_, metadata,
                            clock_);
  ASSERT_TRUE(Catalog(*rows).PrepareObject({.id = {1}, .key = "objects/1", .changed_ms = clock_.WallMs()}));
  ASSERT_TRUE(Catalog(*rows).AbandonObject({1}, clock_.WallMs()));
  clock_.Advance(kGrace);
  metadata.FailCall(4, MetadataFault::kBefore);  // after the two looks, one of them for removals too
  EXPECT_EQ(collector.CollectOnce().error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(Catalog(*rows).FindObject({1})->has_value());
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_FALSE(Catalog(*rows).FindObject({1})->has_value());
  EXPECT_EQ(store_.requests, 2);
}

/// Listings: a store that stamps its objects, and keys as uploads make them.
class ObjectListingTest : public testing::Test {
 protected:
  static constexpr std::chrono::minutes kGrace{10};

  ObjectListingTest() { EXPECT_TRUE(claim_.Hold()); }

  [[nodiscard]] ObjectName Name(int number) const {
    return {claim_.generation().number, 5, static_cast<std::uint64_t>(number)};
  }
  [[nodiscard]] ObjectId Id(int number) const { return ObjectIdOf(Name(number)); }
  [[nodiscard]] std::string Key(int number) const { return claim_.keys().Object(Name(number)); }
  void Put(int number) { PutKey(Key(number)); }
  void PutKey(const std::string& key) {
    const SharedBytes bytes = SharedBytes::Copy(std::as_bytes(std::span("bytes")));
    ASSERT_TRUE(memory_->Put(key, std::span(&bytes, 1), PutMode::kIfAbsent));
  }
  bool Known(int number) { return Catalog(metadata_).FindObject(Id(number))->has_value(); }
  std::size_t Prepared() { return Catalog(metadata_).ObjectsIn(ObjectState::kPrepared, INT64_MAX, 10'000)->size(); }

  SimClock clock_;
  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(&clock_);
  FaultyObjectStore store_{memory_, 1};
  MemoryMetadataStore metadata_;
  SeededRandom random_{1};
  MemoryObjectStore elsewhere_;
  StoreClaim claim_{{.claims = false}, {"ns/", "id"}, elsewhere_, metadata_, clock_, random_};
  LogSnapshots snapshots_{claim_, elsewhere_, metadata_, clock_};
  ObjectCollector collector_{{.prepared_grace = kGrace}, claim_, snapshots_, store_, metadata_, clock_};
};

TEST_F(ObjectListingTest, UnknownObjectsOfOursPastTheGraceAreProposedAndNothingElse) {
  Put(1);
  Put(2);
  ASSERT_TRUE(Catalog(metadata_).PrepareObject({.id = Id(2), .key = Key(2)}));
  PutKey("ns/somebody-elses");
  PutKey(StoreKeys("other/", "id").Object(Name(3)));
  clock_.Advance(std::chrono::milliseconds(1));
  Put(4);
  clock_.Advance(kGrace - std::chrono::milliseconds(1));
  EXPECT_EQ(*collector_.ProposeOrphans(), 1U);
  ASSERT_TRUE(Known(1));
  const ObjectRow row = **Catalog(metadata_).FindObject(Id(1));
  EXPECT_EQ(row.state, ObjectState::kPrepared);
  EXPECT_EQ(row.key, Key(1));
  EXPECT_EQ(row.changed_ms, clock_.WallMs());  // a whole grace more
  EXPECT_FALSE(Known(3) || Known(4));
  EXPECT_EQ(*collector_.ProposeOrphans(), 0U);
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(*collector_.ProposeOrphans(), 1U);
  EXPECT_TRUE(Known(4));
}

TEST_F(ObjectListingTest, WhatOtherDirectoriesPutIsLeftAlone) {
  const Generation held = claim_.generation();
  ASSERT_TRUE(HomeCatalog(metadata_).Hold({.number = held.number + 2, .nonce = 9}));
  const StoreRow taken_over{.name = std::string(kTakenOverName), .number = held.number + 1};
  const MetadataWrite write{MetadataWrite::Kind::kPut, taken_over};
  ASSERT_TRUE(metadata_.Commit({}, {&write, 1}));
  PutKey(claim_.keys().Object({held.number, 1, 0}));      // of the directory that was lost
  PutKey(claim_.keys().Object({held.number + 2, 1, 0}));  // our own
  PutKey(claim_.keys().Object({held.number + 3, 1, 0}));  // of who took it over from us
  clock_.Advance(kGrace);
  EXPECT_EQ(*collector_.ProposeOrphans(), 1U);
  EXPECT_TRUE(Catalog(metadata_).FindObject(ObjectIdOf({held.number + 2, 1, 0}))->has_value());
}

TEST_F(ObjectListingTest, AStoreThatStampsNothingHasNothingProposed) {
  MemoryObjectStore unstamped;
  const SharedBytes bytes = SharedBytes::Copy(std::as_bytes(std::span("bytes")));
  ASSERT_TRUE(unstamped.Put(Key(1), std::span(&bytes, 1), PutMode::kIfAbsent));
  ObjectCollector collector({.prepared_grace = kGrace}, claim_, snapshots_, unstamped, metadata_, clock_);
  EXPECT_EQ(*collector.ProposeOrphans(), 0U);
}

TEST_F(ObjectListingTest, PagesProposeOnlyOnceAllOfThemWereListed) {
  for (int number = 1; number <= 1'500; ++number) Put(number);
  clock_.Advance(kGrace);
  EXPECT_TRUE(*collector_.ListOnce());
  EXPECT_EQ(Prepared(), 0U);
  store_.FailRequest(1, ObjectFault::kErrorBefore);
  EXPECT_FALSE(collector_.ListOnce());
  EXPECT_EQ(Prepared(), 0U);
  EXPECT_TRUE(*collector_.ListOnce());  // from the beginning
  EXPECT_FALSE(*collector_.ListOnce());
  EXPECT_EQ(Prepared(), 1'500U);
  EXPECT_EQ(*collector_.ProposeOrphans(), 0U);
}

}  // namespace
}  // namespace millrace
