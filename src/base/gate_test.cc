// Goal: closing waits for all work inside and lets none in afterwards. Method: the states one by one, then many threads
// that enter while one closes.
#include "base/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(GateTest, CountsWhoIsInside) {
  Gate gate;
  auto one = gate.Enter();
  EXPECT_TRUE(one);
  auto two = std::move(one);
  EXPECT_FALSE(one);
  EXPECT_EQ(gate.inside(), 1U);
  two.Leave();
  two.Leave();
  EXPECT_EQ(gate.inside(), 0U);
  gate.Close();
  EXPECT_TRUE(gate.closed());
}

TEST(GateTest, ClosedGateRefuses) {
  Gate gate;
  gate.Close();
  gate.Close();
  EXPECT_FALSE(gate.Enter());
  EXPECT_EQ(gate.inside(), 0U);
}

TEST(GateTest, ShutRefusesWithoutWaiting) {
  Gate gate;
  const auto pass = gate.Enter();
  gate.Shut();
  EXPECT_FALSE(gate.Enter());
  EXPECT_EQ(gate.inside(), 1U);
}

TEST(GateTest, CloseWaitsForTheLast) {
  for (int round = 0; round < 50; ++round) {
    Gate gate;
    std::atomic<int> working = 0, done = 0;
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&gate, &working, &done] {
        while (auto pass = gate.Enter()) {
          ++working;
          ++done;
          --working;
        }
      });
    }
    while (done == 0) std::this_thread::yield();
    gate.Close();
    EXPECT_EQ(working, 0);
    const int after = done;
    workers.clear();
    EXPECT_EQ(done, after);
  }
}

TEST(GateDeathTest, DestroyedWithWorkInsideIsOurMistake) {
  EXPECT_DEATH(
      {
        Gate::Pass outlives;
        Gate gate;
        outlives = gate.Enter();
      },
      "internal check failed");
}

}  // namespace
}  // namespace millrace
