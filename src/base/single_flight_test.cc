// Goal: at any moment one fetch per key, every caller gets its outcome, errors are not kept. Method: a fetch that holds
// until the others have had time to ask, counted.
#include "base/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/watched_clock.h"

namespace millrace {
namespace {

TEST(SingleFlightTest, FetchesAgainOnceTheFlightHasLanded) {
  WatchedClock clock;
  SingleFlight<std::string, int> flights;
  int fetched = 0;
  for (int i = 1; i <= 3; ++i) {
    const auto outcome = flights.Run("a", clock, [&fetched]() -> Result<int> { return ++fetched; });
    EXPECT_EQ(*outcome.result, i);
    EXPECT_FALSE(outcome.shared);
  }
}

TEST(SingleFlightTest, ErrorsAreSharedAndForgotten) {
  WatchedClock clock;
  SingleFlight<std::string, int> flights;
  const auto failed = flights.Run(
      "a", clock, []() -> Result<int> { return Error(ErrorCode::kUnavailable, "no answer from the store"); });
  EXPECT_EQ(failed.result.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(*flights.Run("a", clock, []() -> Result<int> { return 7; }).result, 7);
}

TEST(SingleFlightTest, WaitersShareOneFetchAndOtherKeysPass) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  std::atomic<int> fetched = 0, shared = 0;
  std::latch first_inside(1), let_go(1);
  std::vector<std::jthread> threads;
  const auto ask = [&](bool hold) {
    const auto outcome = flights.Run(1, clock, [&]() -> Result<int> {
      if (hold) {
        first_inside.count_down();
        let_go.wait();
      }
      return ++fetched;
    });
    EXPECT_TRUE(outcome.result);
    shared += outcome.shared ? 1 : 0;
  };
  threads.emplace_back(ask, true);
  first_inside.wait();
  for (int i = 0; i < 3; ++i) threads.emplace_back(ask, false);
  EXPECT_EQ(*flights.Run(2, clock, []() -> Result<int> { return 42; }).result, 42) << "another key does not wait";
  let_go.count_down();
  threads.clear();
  // A caller that came while the first was inside shared it; a late one fetched for itself. No fetch is in vain.
  EXPECT_EQ(fetched + shared, 4);
  EXPECT_GE(fetched, 1);
}

/// One leads and is held inside; `join` runs on another thread and is known to wait; then the leader goes on.
template <class Join>
void WhileOneLeads(SingleFlight<int, int>& flights, WatchedClock& clock, const RequestLimits& leader,
                   const Result<int>& outcome, const Join& join) {
  std::latch inside(1), let_go(1);
  std::jthread leads([&] {
    const RequestScope scope(leader);
    (void)flights.Run(1, clock, [&]() -> Result<int> {
      inside.count_down();
      let_go.wait();
      return outcome;
    });
  });
  inside.wait();
  const int looks = clock.looks();
  std::jthread joins(join);
  clock.AwaitLookAfter(looks);
  let_go.count_down();
}

TEST(SingleFlightTest, WhoeverJoinedALeaderEndedByHisOwnDeadlineFetchesForHimself) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  std::atomic<int> got = 0;
  WhileOneLeads(flights, clock, {.deadline = std::chrono::seconds(1), .stop = {}},
                Error(ErrorCode::kTimeout, "the leader's"), [&] {
                  const auto outcome = flights.Run(1, clock, []() -> Result<int> { return 7; });
                  EXPECT_FALSE(outcome.shared);
                  got = outcome.result.value_or(-1);
                });
  EXPECT_EQ(got, 7);
}

TEST(SingleFlightTest, WhoeverJoinedALeaderThatWasStoppedFetchesForHimself) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  std::stop_source stop;
  stop.request_stop();
  std::atomic<int> got = 0;
  WhileOneLeads(flights, clock, {.stop = stop.get_token()}, Error(ErrorCode::kClosed, "the leader's"),
                [&] { got = flights.Run(1, clock, []() -> Result<int> { return 7; }).result.value_or(-1); });
  EXPECT_EQ(got, 7);
}

TEST(SingleFlightTest, TheStoresOwnTimeoutGoesToAllSoThatTheyDoNotWaitOneAfterTheOther) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  std::atomic<bool> shared = false;
  WhileOneLeads(flights, clock, {}, Error(ErrorCode::kTimeout, "the store's"), [&] {
    const auto outcome = flights.Run(1, clock, []() -> Result<int> { return 7; });
    shared = outcome.shared && !outcome.result && outcome.result.error().code() == ErrorCode::kTimeout;
  });
  EXPECT_TRUE(shared);
}

TEST(SingleFlightTest, AWaiterLeavesAtHisDeadlineOrStopAndTheFlightGoesOn) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  std::latch inside(1), let_go(1);
  std::jthread leads([&] {
    const auto outcome = flights.Run(1, clock, [&]() -> Result<int> {
      inside.count_down();
      let_go.wait();
      return 5;
    });
    EXPECT_EQ(outcome.result.value_or(-1), 5);
  });
  inside.wait();
  const auto join = [&](const RequestLimits& limits) {
    const RequestScope scope(limits);
    return flights.Run(1, clock, []() -> Result<int> { return 7; }).result;
  };
  EXPECT_EQ(join({.deadline = clock.Monotonic(), .stop = {}}).error().code(), ErrorCode::kTimeout);
  std::stop_source stop;
  const int looks = clock.looks();
  std::jthread stopped([&] { EXPECT_EQ(join({.stop = stop.get_token()}).error().code(), ErrorCode::kClosed); });
  clock.AwaitLookAfter(looks);
  stop.request_stop();
  stopped.join();
  let_go.count_down();
}

TEST(SingleFlightTest, WhatEndsALeadersWaitIsNotTheErrorOfThoseWhoAwaitHim) {
  WatchedClock clock;
  SingleFlight<int, int> flights;
  for (const bool his_own : {true, false}) {
    ASSERT_TRUE(flights.TryLead(1));
    std::optional<Result<int>> got;
    const int looks = clock.looks();
    std::jthread follower([&] { got = flights.Await(1, clock, "what the leader fetches"); });
    clock.AwaitLookAfter(looks);
    {
      const RequestScope scope(his_own ? RequestLimits{.deadline = std::chrono::seconds(1), .stop = {}}
                                       : RequestLimits{});
      flights.Land(1, Error(ErrorCode::kTimeout, "in vain"));
    }
    follower.join();
    EXPECT_EQ(got.has_value(), !his_own);
  }
}

}  // namespace
}  // namespace millrace
