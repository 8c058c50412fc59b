// Goal: of several tellings of a topic's settings the one that was made last counts, in whatever order objects are
// numbered, arrive or are looked at. Method: heads and directories made by hand. Proves B98.
#include "tier/told_settings.h"

#include <gtest/gtest.h>

#include "tier/store_keys.h"

namespace millrace {
namespace {

constexpr TopicId kTopic{1};

FoundObject Object(std::uint32_t generation, std::uint64_t sequence, std::int64_t written_ms) {
  FoundObject object{.name = {generation, 1, sequence}};
  object.directory.written_ms = written_ms;
  return object;
}

Snapshot SnapshotAt(std::uint32_t generation, std::int64_t written_ms) {
  Snapshot snapshot;
  snapshot.head.generation = generation;
  snapshot.head.nonce = 1;
  snapshot.head.written_ms = written_ms;
  return snapshot;
}

TEST(ToldSettingsTest, AnObjectThatWasDescribedBeforeTheSnapshotTellsNothingNew) {
  ToldSettings settings;
  settings.TakeSnapshot(SnapshotAt(2, 100));
  EXPECT_FALSE(settings.IsNewest(Object(2, 7, 99), kTopic));
  EXPECT_FALSE(settings.IsNewest(Object(1, 9, 500), kTopic));  // another process, whose clock was ahead
  EXPECT_TRUE(settings.IsNewest(Object(2, 6, 100), kTopic));
  EXPECT_TRUE(settings.IsNewest(Object(3, 0, 50), kTopic));
}

TEST(ToldSettingsTest, WhatTheSnapshotNamesAsUnderWayItHasOvertaken) {
  Snapshot snapshot = SnapshotAt(2, 100);
  snapshot.objects.push_back({.id = ObjectIdOf({2, 1, 5}), .key = "k", .state = ObjectState::kPrepared});
  ToldSettings settings;
  settings.TakeSnapshot(snapshot);
  EXPECT_FALSE(settings.IsNewest(Object(2, 5, 100), kTopic));
  EXPECT_TRUE(settings.IsNewest(Object(2, 6, 100), kTopic));
}

TEST(ToldSettingsTest, OfTwoObjectsTheLaterOneCountsWhateverItsNumber) {
  ToldSettings settings;
  EXPECT_TRUE(settings.IsNewest(Object(1, 5, 60), kTopic));
  EXPECT_FALSE(settings.IsNewest(Object(1, 6, 50), kTopic));
  EXPECT_TRUE(settings.IsNewest(Object(1, 6, 50), TopicId(2)));  // it is the first to tell of that one
  EXPECT_TRUE(settings.IsNewest(Object(1, 7, 60), kTopic));
}

}  // namespace
}  // namespace millrace
