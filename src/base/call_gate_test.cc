// Goal: a gate that is shut refuses every call and lets no owner by before the last call has left. Method: threads
// that count what they meet behind it.
#include "base/call_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(CallGateTest, WhoComesAfterItWasShutIsRefused) {
  CallGate gate;
  {
    EXPECT_TRUE(CallGate::Pass(&gate));
  }
  gate.Shut();
  EXPECT_FALSE(CallGate::Pass(&gate));
  gate.AwaitEmpty();
}

TEST(CallGateTest, NoGateLetsEverybodyPass) { EXPECT_TRUE(CallGate::Pass(nullptr)); }

TEST(CallGateTest, AThreadKnowsThatItIsInsideByACallOrAsOneOfTheEngines) {
  CallGate gate, other;
  EXPECT_FALSE(gate.ThisThreadIsInside());
  {
    const CallGate::Pass pass(&gate);
    const CallGate::Pass within(&other);
    EXPECT_TRUE(gate.ThisThreadIsInside());
    EXPECT_TRUE(other.ThisThreadIsInside());
    std::jthread([&] { EXPECT_FALSE(gate.ThisThreadIsInside()); });
  }
  EXPECT_FALSE(gate.ThisThreadIsInside());
  const CallGate::OwnThread own(&gate);
  EXPECT_TRUE(gate.ThisThreadIsInside());
  gate.Shut();
  EXPECT_FALSE(other.ThisThreadIsInside());
}

TEST(CallGateTest, WaitingEndsWhenTheLastCallLeavesAndNotBefore) {
  for (int round = 0; round < 50; ++round) {
    CallGate gate;
    std::atomic<bool> emptied{false};
    std::atomic<int> inside{0};
    std::atomic<bool> go{false};
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i)
      callers.emplace_back([&] {
        std::optional<CallGate::Pass> pass(std::in_place, &gate);
        ASSERT_TRUE(*pass);
        ++inside;
        inside.notify_all();
        go.wait(false);
        EXPECT_FALSE(emptied);
        pass.reset();
      });
    for (int seen = inside; seen < 4; seen = inside) inside.wait(seen);
    gate.Shut();
    std::jthread closer([&] {
      gate.AwaitEmpty();
      emptied = true;
    });
    EXPECT_FALSE(emptied);
    go = true;
    go.notify_all();
  }
}

/// Calls come and go all the time while it is shut: what a caller touches behind a pass is there until it has left.
TEST(CallGateTest, WhatIsFreedBehindItIsTouchedByNobody) {
  for (int round = 0; round < 50; ++round) {
    CallGate gate;
    auto guarded = std::make_unique<std::atomic<int>>(0);
    std::vector<std::jthread> callers;
    std::atomic<int> refused{0};
    for (int i = 0; i < 3; ++i)
      callers.emplace_back([&] {
        while (true) {
          const CallGate::Pass pass(&gate);
          if (!pass) break;
          ++*guarded;
        }
        ++refused;
      });
    gate.Shut();
    gate.AwaitEmpty();
    guarded.reset();
    callers.clear();
    EXPECT_EQ(refused, 3);
  }
}

}  // namespace
}  // namespace millrace
