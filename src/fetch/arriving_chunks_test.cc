// Goal: no reader pays for the haste of another that fetches its chunk. Method: a clock that tells when a thread is
// about to wait. Proves R5 (deadline), S9.
#include "fetch/arriving_chunks.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/watched_clock.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

TEST(ArrivingChunksTest, WhatEndsALeadersWaitIsNotTheErrorOfThoseWhoJoinedHim) {
  WatchedClock clock;
  ArrivingChunks chunks;
  const ChunkKey key{};
  for (const bool his_own : {true, false}) {
    ASSERT_TRUE(chunks.TryLead(key));
    std::optional<Result<ArrivingChunks::Taken>> got;
    const int looks = clock.looks();
    std::jthread follower([&] { got = chunks.Take(key, clock); });
    clock.AwaitLookAfter(looks);
    {
      const RequestScope scope(his_own ? RequestLimits{.deadline = std::chrono::seconds(1), .stop = {}}
                                       : RequestLimits{});
      chunks.Fail(key, Error(ErrorCode::kTimeout, "in vain"));
    }
    follower.join();
    EXPECT_EQ(got.has_value(), !his_own);
  }
}

}  // namespace
}  // namespace millrace
