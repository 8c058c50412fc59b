// Goal: a caller waits for a store no longer than its scope says, and what it leaves behind ends by itself, touching
// nothing of the caller's. Method: a store that answers when told to; a simulated clock.
#include "store/abandoning_object_store.h"

#include <gtest/gtest.h>

#include <latch>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/sim/sim_clock.h"
#include "millrace/bytes.h"
#include "store/memory_object_store.h"
#include "store/stopping_object_store.h"

namespace millrace {
namespace {

using std::chrono::nanoseconds;

/// Answers a Get once `answer` is given; tells what was in force for it.
class WaitingStore final : public ObjectStore {
 public:
  Result<void> Put(std::string_view, std::span<const SharedBytes>, PutMode) override { return {}; }
  Result<SharedBytes> Get(std::string_view key, ByteRange) override {
    came.count_down();
    answer.wait();
    deadline = RequestScope::Current().deadline;
    stop = RequestScope::Current().stop.stop_requested();
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(key));
    left.count_down();
    return bytes;
  }
  Result<ObjectDescription> Head(std::string_view) override { return Error(ErrorCode::kNotFound, "none"); }
  Result<ObjectPage> List(std::string_view, std::string_view, std::size_t) override { return ObjectPage(); }
  Result<void> Delete(std::string_view) override { return {}; }
  [[nodiscard]] std::string Describe() const override { return "waiting:"; }

  std::latch came{1}, answer{1}, left{1};
  nanoseconds deadline{};
  bool stop = false;
};

struct AbandoningObjectStoreTest : testing::Test {
  std::shared_ptr<SimClock> clock = std::make_shared<SimClock>();
  std::shared_ptr<WaitingStore> inner = std::make_shared<WaitingStore>();
  std::unique_ptr<AbandoningObjectStore> store = std::make_unique<AbandoningObjectStore>(inner, clock);

  ~AbandoningObjectStoreTest() override {
    if (!inner->answer.try_wait()) inner->answer.count_down();
  }
};

TEST_F(AbandoningObjectStoreTest, AnswersPassThroughAndTheScopeReachesTheStore) {
  inner->answer.count_down();
  const nanoseconds deadline = clock->Monotonic() + std::chrono::hours(1);
  const RequestScope scope({.deadline = deadline});
  const auto got = store->Get("key", {0, 3});
  ASSERT_TRUE(got);
  EXPECT_EQ(AsText(*got), "key");
  EXPECT_EQ(inner->deadline, deadline);
  EXPECT_EQ(store->Head("key").error().code(), ErrorCode::kNotFound);
}

TEST_F(AbandoningObjectStoreTest, AStopEndsTheWaitAndTheRequestEndsByItself) {
  std::stop_source stop;
  std::jthread stopper([&] {
    inner->came.wait();
    stop.request_stop();
  });
  {
    const RequestScope scope({.stop = stop.get_token()});
    const auto got = store->Get(std::string("key"), {0, 3});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kClosed);
    EXPECT_FALSE(got.error().retryable());
  }
  store.reset();
  inner->answer.count_down();
  inner->left.wait();
  EXPECT_TRUE(inner->stop);
}

TEST_F(AbandoningObjectStoreTest, ADeadlineThatHasPassedEndsTheWait) {
  const RequestScope scope({.deadline = clock->Monotonic()});
  const auto got = store->Get("key", {0, 3});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kTimeout);
}

TEST_F(AbandoningObjectStoreTest, MoreThanItsThreadsAreServedInTheEnd) {
  auto memory = std::make_shared<MemoryObjectStore>();
  AbandoningObjectStore many(memory, clock);
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(caller) + "/" + std::to_string(i);
        const SharedBytes bytes = SharedBytes::Copy(AsBytes(key));
        ASSERT_TRUE(many.Put(key, {&bytes, 1}, PutMode::kOverwrite));
        const auto got = many.Get(key, {0, 100});
        ASSERT_TRUE(got);
        EXPECT_EQ(AsText(*got), key);
      }
    });
}

TEST_F(AbandoningObjectStoreTest, TheEnginesStopReachesRequestsBesideTheCallersOwn) {
  for (const bool callers_own : {false, true}) {
    std::stop_source engine, caller;
    const auto waiting = std::make_shared<WaitingStore>();
    StoppingObjectStore stopping(std::make_shared<AbandoningObjectStore>(waiting, clock), engine.get_token());
    std::jthread stopper([&] {
      waiting->came.wait();
      (callers_own ? caller : engine).request_stop();
    });
    const RequestScope scope({.stop = caller.get_token()});
    EXPECT_EQ(stopping.Get("key", {0, 3}).error().code(), ErrorCode::kClosed);
    waiting->answer.count_down();
    if (callers_own) continue;
    EXPECT_EQ(stopping.Delete("key").error().code(), ErrorCode::kClosed);  // nothing begins any more
  }
}

}  // namespace
}  // namespace millrace
