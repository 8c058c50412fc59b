// Goal: at first contact with a store one question is asked for all callers, and none waits longer for it than its
// own limits allow. Method: a store that holds its first answer back; real threads.
#include "engine/identity.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stop_token>
#include <thread>

#include "env/seeded_random.h"
#include "env/system_clock.h"
#include "meta/memory_metadata_store.h"
#include "millrace/request_scope.h"
#include "store/memory_object_store.h"
#include "tier/claim_text.h"

namespace millrace {
namespace {

/// Holds the first question after the log back until it is let go.
class HeldStore final : public ObjectStore {
 public:
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    return memory_.Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    if (key.ends_with("/log") && ++asked == 1) {
      begun.count_down();
      go_on.wait();
      if (down) return Error(ErrorCode::kUnavailable, "down");
    }
    return memory_.Get(key, range);
  }
  Result<ObjectDescription> Head(std::string_view key) override { return memory_.Head(key); }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    return memory_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override { return memory_.Delete(key); }
  [[nodiscard]] std::string Describe() const override { return "held:"; }

  std::atomic<int> asked{0};
  std::atomic<bool> down{false};
  std::latch begun{1}, go_on{1};

 private:
  MemoryObjectStore memory_;
};

class FirstContactTest : public testing::Test {
 protected:
  FirstContactTest() {
    const std::string text = Encode(LogText{.identity = "id", .made_ms = 0, .host = "h"});
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    EXPECT_TRUE(held_->Put("p/log", {&bytes, 1}, PutMode::kIfAbsent));
  }
  ErrorCode Ask() {
    const auto got = store_.Get("k", {0, 1});
    return got ? ErrorCode::kInternal : got.error().code();  // there is no object
  }

  SystemClock clock_;
  MemoryMetadataStore metadata_;
  std::shared_ptr<HeldStore> held_ = std::make_shared<HeldStore>();
  SeededRandom random_{1};
  StoreClaim claim_{{}, {"p/", "id"}, *held_, metadata_, clock_, random_};
  ClaimedObjectStore store_{held_, claim_};
};

TEST_F(FirstContactTest, WhoComesMeanwhileWaitsWithinItsOwnLimits) {
  std::jthread first([&] { EXPECT_EQ(Ask(), ErrorCode::kNotFound); });
  held_->begun.wait();
  {
    const RequestScope scope({.deadline = clock_.Monotonic() + std::chrono::milliseconds(20)});
    EXPECT_EQ(Ask(), ErrorCode::kTimeout);
  }
  std::stop_source stop;
  std::jthread stopped([&] {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(Ask(), ErrorCode::kClosed);
  });
  stop.request_stop();
  stopped.join();
  held_->go_on.count_down();
  first.join();
  EXPECT_EQ(held_->asked, 1);
  EXPECT_EQ(Ask(), ErrorCode::kNotFound);
  EXPECT_EQ(held_->asked, 1);
}

TEST_F(FirstContactTest, AFailureIsNotRememberedForThoseWhoComeLater) {
  held_->down = true;
  held_->go_on.count_down();
  EXPECT_EQ(Ask(), ErrorCode::kUnavailable);
  EXPECT_EQ(Ask(), ErrorCode::kNotFound);
  EXPECT_EQ(held_->asked, 2);
}

}  // namespace
}  // namespace millrace
