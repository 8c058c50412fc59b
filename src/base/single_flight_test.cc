// Goal: at any moment one fetch per key, everybody gets its outcome, errors are not kept. Method: a fetch that holds
// until the others have had time to ask, counted.
#include "base/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(SingleFlightTest, FetchesAgainOnceTheFlightHasLanded) {
  SingleFlight<std::string, int> flights;
  int fetched = 0;
  for (int i = 1; i <= 3; ++i) {
    const auto outcome = flights.Run("a", [&fetched]() -> Result<int> { return ++fetched; });
    EXPECT_EQ(*outcome.result, i);
    EXPECT_FALSE(outcome.shared);
  }
}

TEST(SingleFlightTest, ErrorsAreSharedAndForgotten) {
  SingleFlight<std::string, int> flights;
  const auto failed =
      flights.Run("a", []() -> Result<int> { return Error(ErrorCode::kUnavailable, "no answer from the store"); });
  EXPECT_EQ(failed.result.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(*flights.Run("a", []() -> Result<int> { return 7; }).result, 7);
}

TEST(SingleFlightTest, WaitersShareOneFetchAndOtherKeysPass) {
  SingleFlight<int, int> flights;
  std::atomic<int> fetched = 0, shared = 0;
  std::latch first_inside(1), let_go(1);
  std::vector<std::jthread> threads;
  const auto ask = [&](bool hold) {
    const auto outcome = flights.Run(1, [&]() -> Result<int> {
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
  EXPECT_EQ(*flights.Run(2, []() -> Result<int> { return 42; }).result, 42) << "another key does not wait";
  let_go.count_down();
  threads.clear();
  // Whoever came while the first was inside shared it; a late one fetched for itself. Nothing is fetched for nobody.
  EXPECT_EQ(fetched + shared, 4);
  EXPECT_GE(fetched, 1);
}

}  // namespace
}  // namespace millrace
