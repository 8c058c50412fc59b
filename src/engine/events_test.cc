// What happens in the background is told at most once a minute for a kind and partition, its end once, and never under
// a lock. Method: a simulated clock and a sink that counts.
#include "engine/events.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "env/sim/sim_clock.h"

namespace millrace {
namespace {

class EventsTest : public testing::Test {
 protected:
  void Tell(EventKind kind, std::int32_t partition = 0) {
    events_.Tell({.kind = kind, .message = "so it is", .partition = {"t", PartitionId(partition)}});
  }

  SimClock clock_;
  std::vector<EventKind> seen_;
  Events events_{[this](const Event& event) { seen_.push_back(event.kind); }, clock_};
};

TEST_F(EventsTest, OneAMinuteForAKindAndPartition) {
  for (int i = 0; i < 5; ++i) Tell(EventKind::kUploadFailing);
  EXPECT_EQ(seen_.size(), 1U);
  Tell(EventKind::kUploadFailing, 1);
  Tell(EventKind::kDamageFound);
  EXPECT_EQ(seen_.size(), 3U);
  clock_.Advance(std::chrono::seconds(59));
  Tell(EventKind::kUploadFailing);
  EXPECT_EQ(seen_.size(), 3U);
  clock_.Advance(std::chrono::seconds(1));
  Tell(EventKind::kUploadFailing);
  EXPECT_EQ(seen_.size(), 4U);
}

TEST_F(EventsTest, TheEndIsToldOnceAfterATroubleThatWasTold) {
  Tell(EventKind::kUploadsResumed);
  EXPECT_TRUE(seen_.empty());
  Tell(EventKind::kUploadFailing);
  Tell(EventKind::kUploadsResumed);
  Tell(EventKind::kUploadsResumed);
  EXPECT_EQ(seen_, (std::vector{EventKind::kUploadFailing, EventKind::kUploadsResumed}));
}

TEST_F(EventsTest, WhatIsQueuedIsToldOnceAndLater) {
  events_.Queue({.kind = EventKind::kPositionCorrected});
  EXPECT_TRUE(seen_.empty());
  events_.TellQueued();
  events_.TellQueued();
  EXPECT_EQ(seen_, std::vector{EventKind::kPositionCorrected});
}

TEST_F(EventsTest, ASinkMayTellMoreAndMayThrow) {
  std::vector<EventKind> seen;
  Events* inner = nullptr;
  Events events(
      [&](const Event& event) {
        seen.push_back(event.kind);
        inner->Tell({.kind = EventKind::kCacheDisabled});
        throw std::runtime_error("a sink of no use");
      },
      clock_);
  inner = &events;
  events.Tell({.kind = EventKind::kUpkeepFailing});
  EXPECT_EQ(seen, (std::vector{EventKind::kUpkeepFailing, EventKind::kCacheDisabled}));
}

}  // namespace
}  // namespace millrace
