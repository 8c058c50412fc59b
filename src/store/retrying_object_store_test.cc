// Goal: what may be repeated is, within attempts, deadline and budget; an unknown put-if-absent is settled by looking
// (rules 9 and 15 of the reliability page). Method: faults at chosen requests, virtual time.
#include "store/retrying_object_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stop_token>
#include <thread>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "millrace/request_scope.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

class RetryingObjectStoreTest : public testing::Test {
 protected:
  RetryingObjectStore Open(const RetryOptions& options = {}) {
    return {faulty_, options, clock_, random_, [this](std::chrono::nanoseconds time) {
              pauses_.push_back(time);
              clock_.Advance(time);
            }};
  }
  static Result<void> Put(ObjectStore& store, std::string_view key, std::string_view text, PutMode mode) {
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    return store.Put(key, std::span(&bytes, 1), mode);
  }
  void BreakEverything() {
    ObjectFaultPlan plan;
    faulty_->SetPlan(plan.Set(ObjectFault::kErrorBefore, 1'000'000));
  }

  SimClock clock_;
  SeededRandom random_{3};
  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>();
  std::shared_ptr<FaultyObjectStore> faulty_ = std::make_shared<FaultyObjectStore>(memory_, 1);
  std::vector<std::chrono::nanoseconds> pauses_;
};

TEST_F(RetryingObjectStoreTest, EveryRequestSurvivesOneFailure) {
  auto store = Open();
  for (const ObjectFault fault : {ObjectFault::kErrorBefore, ObjectFault::kErrorAfter}) {
    for (const PutMode mode : {PutMode::kOverwrite, PutMode::kIfAbsent}) {
      ASSERT_TRUE(memory_->Delete("a"));
      faulty_->FailRequest(1, fault);
      EXPECT_TRUE(Put(store, "a", "x", mode));
    }
    faulty_->FailRequest(1, fault);
    EXPECT_EQ(AsText(*store.Get("a", {0, 1})), "x");
    faulty_->FailRequest(1, fault);
    EXPECT_TRUE(store.Head("a"));
    faulty_->FailRequest(1, fault);
    EXPECT_EQ(store.List("", "", 5)->objects.size(), 1u);
    faulty_->FailRequest(1, fault);
    EXPECT_TRUE(store.Delete("a"));
    EXPECT_FALSE(memory_->Head("a"));
  }
  EXPECT_EQ(store.retries(), 12u);
}

TEST_F(RetryingObjectStoreTest, AnUnknownPutIfAbsentIsOursOnlyIfTheBytesAre) {
  auto store = Open();
  // The answer to our put is lost: what lies there is ours.
  faulty_->FailRequest(1, ObjectFault::kErrorAfter);
  EXPECT_TRUE(Put(store, "a", "ours", PutMode::kIfAbsent));
  // Our put never arrived and another writer's lies there, of the same length.
  ASSERT_TRUE(Put(*memory_, "b", "hers", PutMode::kIfAbsent));
  faulty_->FailRequest(1, ObjectFault::kErrorBefore);
  EXPECT_EQ(Put(store, "b", "ours", PutMode::kIfAbsent).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(AsText(*memory_->Get("b", {0, 9})), "hers");
  // A first attempt that is refused is refused, even for equal bytes.
  EXPECT_EQ(Put(store, "b", "hers", PutMode::kIfAbsent).error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(RetryingObjectStoreTest, ErrorsThatRepeatingCannotHealAreNotRepeated) {
  auto store = Open();
  EXPECT_EQ(store.Get("missing", {0, 1}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Put(store, "..", "x", PutMode::kOverwrite).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(faulty_->requests(), 2u);
  EXPECT_EQ(store.retries(), 0u);
}

TEST_F(RetryingObjectStoreTest, AttemptsAreBoundedAndWaitsGrowWithJitter) {
  auto store = Open({.attempts_max = 5, .backoff_first = milliseconds(100), .backoff_max = milliseconds(300)});
  BreakEverything();
  auto failed = store.Head("a");
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(failed.error().message().find("5 attempts"), std::string_view::npos);
  EXPECT_EQ(faulty_->requests(), 5u);
  const milliseconds whole[] = {milliseconds(100), milliseconds(200), milliseconds(300), milliseconds(300)};
  ASSERT_EQ(pauses_.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GE(pauses_[i], whole[i] / 2);
    EXPECT_LE(pauses_[i], whole[i]);
  }
  EXPECT_NE(pauses_[2], pauses_[3]);
}

TEST_F(RetryingObjectStoreTest, TheDeadlineIsNotOverrun) {
  auto store = Open({.attempts_max = 1000, .backoff_first = milliseconds(40), .deadline = milliseconds(200)});
  BreakEverything();
  const auto begin = clock_.Monotonic();
  EXPECT_FALSE(store.Head("a"));
  EXPECT_LT(clock_.Monotonic() - begin, milliseconds(200));
  EXPECT_GE(faulty_->requests(), 3u);
}

TEST_F(RetryingObjectStoreTest, AStoreThatIsDownIsNotHammered) {
  auto store = Open({.attempts_max = 10, .budget = 12});
  BreakEverything();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(store.Head("a"));
  EXPECT_EQ(faulty_->requests(), 112u);  // one each, and the budget
  faulty_->SetPlan({});
  ASSERT_TRUE(Put(store, "a", "x", PutMode::kOverwrite));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.Head("a"));
  faulty_->FailRequest(1, ObjectFault::kErrorBefore);
  EXPECT_TRUE(store.Head("a"));  // successes paid back
}

/// Answers nothing: each request takes an attempt's 20 s, or what the caller's limits leave.
class SilentStore final : public ObjectStore {
 public:
  explicit SilentStore(SimClock& clock) : clock_(clock) {}
  Result<void> Put(std::string_view, std::span<const SharedBytes>, PutMode) override { return Silence(); }
  Result<SharedBytes> Get(std::string_view, ByteRange) override { return Silence(); }
  Result<ObjectDescription> Head(std::string_view) override { return Silence(); }
  Result<ObjectPage> List(std::string_view, std::string_view, std::size_t) override { return Silence(); }
  Result<void> Delete(std::string_view) override { return Silence(); }
  [[nodiscard]] std::string Describe() const override { return "silent:"; }

  int requests = 0;
  std::stop_source* stops = nullptr;  // asked to stop within a request

 private:
  Error Silence() {
    ++requests;
    if (stops != nullptr) stops->request_stop();
    const auto until = std::min(RequestScope::Current().deadline, clock_.Monotonic() + std::chrono::seconds(20));
    clock_.Advance(until - clock_.Monotonic());
    return {ErrorCode::kTimeout, "silence"};
  }
  SimClock& clock_;
};

class RetryingLimitsTest : public RetryingObjectStoreTest {
 protected:
  std::shared_ptr<SilentStore> silent_ = std::make_shared<SilentStore>(clock_);
  RetryingObjectStore store_{silent_, {}, clock_, random_, [this](std::chrono::nanoseconds time) {
                               pauses_.push_back(time);
                               clock_.Advance(time);
                             }};
};

TEST_F(RetryingLimitsTest, ASilentStoreIsGivenUpAtTheDeadlineOfTheWhole) {
  const auto begin = clock_.Monotonic();
  const auto given_up = store_.Head("a");
  EXPECT_EQ(given_up.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(clock_.Monotonic() - begin, std::chrono::seconds(60));  // the last attempt had what was left
  EXPECT_LE(silent_->requests, 6);
  EXPECT_GE(silent_->requests, 3);
}

TEST_F(RetryingLimitsTest, TheCallersDeadlineHoldsForAllAttempts) {
  const RequestScope scope({.deadline = clock_.Monotonic() + std::chrono::seconds(30)});
  const auto begin = clock_.Monotonic();
  EXPECT_EQ(store_.Head("a").error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(clock_.Monotonic() - begin, std::chrono::seconds(30));
  EXPECT_EQ(silent_->requests, 2);
  EXPECT_EQ(store_.Get("a", {0, 1}).error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(silent_->requests, 2);  // passed before: nothing is asked
}

TEST_F(RetryingLimitsTest, NoPauseGoesPastTheCallersDeadline) {
  auto store = Open({.backoff_first = milliseconds(1'000)});
  BreakEverything();
  const RequestScope scope({.deadline = clock_.Monotonic() + milliseconds(1'600)});
  const auto failed = store.Head("a");
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);  // why, rather than that time is short
  EXPECT_EQ(faulty_->requests(), 2u);
  EXPECT_EQ(pauses_.size(), 1u);
}

TEST_F(RetryingLimitsTest, AStopEndsIt) {
  std::stop_source stop;
  const RequestScope scope({.stop = stop.get_token()});
  silent_->stops = &stop;
  const auto stopped = store_.Head("a");
  EXPECT_EQ(stopped.error().code(), ErrorCode::kClosed);
  EXPECT_NE(stopped.error().message().find("silence"), std::string_view::npos);  // what it met before
  EXPECT_EQ(silent_->requests, 1);
  EXPECT_EQ(Put(store_, "a", "x", PutMode::kOverwrite).error().code(), ErrorCode::kClosed);
  EXPECT_EQ(silent_->requests, 1);
}

TEST_F(RetryingLimitsTest, AStopWakesAPause) {
  BreakEverything();
  const RetryOptions patient{
      .backoff_first = std::chrono::hours(1), .backoff_max = std::chrono::hours(1), .deadline = std::chrono::hours(10)};
  RetryingObjectStore store(faulty_, patient, clock_, random_);  // sleeps in real time
  std::stop_source stop;
  std::jthread waits([&] {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(store.Head("a").error().code(), ErrorCode::kClosed);
  });
  while (store.retries() == 0) std::this_thread::yield();
  stop.request_stop();
  waits.join();
  EXPECT_EQ(faulty_->fired(ObjectFault::kErrorBefore), 1u);
}

}  // namespace
}  // namespace millrace
