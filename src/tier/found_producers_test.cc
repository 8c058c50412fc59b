// Goal: of producers that is believed which lies in the log, in whatever order it was found, within bounds. Method:
// directories, snapshots and rows made by hand; every order of the same; more producers than are kept.
#include "tier/found_producers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace millrace {
namespace {

constexpr PartitionKey kPartition{TopicId(1), PartitionId(0)};
const std::string kUuid = "00112233445566778899aabbccddeeff";

/// Batches of one record, numbered as their offsets less `ahead`.
ProducerWindow Window(std::int64_t id, std::int64_t begin, std::int64_t end, std::int16_t epoch = 0,
                      std::int64_t ahead = 0) {
  ProducerWindow window{.id = id};
  for (std::int64_t at = begin; at < end; ++at) {
    const auto number = static_cast<std::int32_t>(at - ahead);
    window.Push(epoch, {.first = number, .last = number, .base = Offset(at), .timestamp_ms = at});
  }
  return window;
}

ObjectDirectory Directory(std::int64_t base, std::int64_t end, std::vector<ProducerWindow> producers,
                          std::uint32_t left_out = 0) {
  ObjectDirectory directory{.written_ms = end * 1'000};
  directory.topics.push_back({.uuid = StoredIdOf(kUuid), .number = TopicId(1), .name = "t"});
  directory.entries.push_back({.byte_size = 5, .base = Offset(base), .end = Offset(end)});
  directory.shares.push_back({.entry = 0, .told = {.producers = std::move(producers), .left_out = left_out}});
  return directory;
}

/// The log of topic 1: from `log_start` on, a segment for each pair.
struct Log {
  std::vector<std::pair<int, int>> segments;
  std::int64_t log_start = 0;
  std::string uuid = kUuid;

  [[nodiscard]] std::vector<KnownProducer> Held(const FoundProducers& found) const {
    std::vector<SegmentRow> rows;
    std::int64_t at = log_start;
    for (const auto& [base, end] : segments) {
      if (base > at) rows.push_back({.partition = kPartition, .base = Offset(at), .end = Offset(base)});  // a gap
      rows.push_back({.partition = kPartition,
                      .base = Offset(base),
                      .end = Offset(end),
                      .object = {1},
                      .byte_size = 5,
                      .records = 1});
      at = end;
    }
    const TopicRow topic{.id = TopicId(1), .uuid = uuid, .name = "t"};
    const PartitionRow partition{.key = kPartition, .log_start = Offset(log_start), .tiered_end = Offset(at)};
    return found.HeldIn({&topic, 1}, {&partition, 1}, rows);
  }
  /// "7: 3 4 5": a producer, and the offsets of what is known of it.
  [[nodiscard]] std::string Told(const FoundProducers& found) const {
    std::string text;
    for (const KnownProducer& known : Held(found)) {
      text += (text.empty() ? "" : "; ") + std::to_string(known.window.id) + ":";
      for (const ProducedBatch& batch : known.window.known()) text += " " + std::to_string(batch.base.value());
    }
    return text;
  }
};

TEST(FoundProducersTest, WindowsOfSeveralObjectsAreOneInWhateverOrderTheyCome) {
  const std::vector<ObjectDirectory> directories = {Directory(0, 8, {Window(7, 3, 8)}),
                                                    Directory(8, 10, {Window(7, 8, 10), Window(9, 8, 9)}),
                                                    Directory(10, 11, {Window(7, 10, 11)})};
  std::vector<std::size_t> order = {0, 1, 2};
  do {
    FoundProducers found;
    for (const std::size_t each : order) found.Add(directories[each]);
    const Log log{.segments = {{0, 8}, {8, 10}, {10, 11}}};
    EXPECT_EQ(log.Told(found), "9: 8; 7: 6 7 8 9 10");
    EXPECT_EQ(log.Held(found)[1].touched_ms, 11'000);
  } while (std::ranges::next_permutation(order).found);
}

TEST(FoundProducersTest, OnlyWhatLiesInASegmentOrBelowTheStartIsBelieved) {
  FoundProducers found;
  found.Add(Directory(0, 8, {Window(7, 0, 8)}));
  EXPECT_EQ((Log{.segments = {{0, 8}}}).Told(found), "7: 3 4 5 6 7");
  EXPECT_EQ((Log{.segments = {{0, 5}}}).Told(found), "7: 3 4") << "behind its end";
  EXPECT_EQ((Log{.segments = {{0, 4}, {5, 8}}}).Told(found), "7: 5 6 7") << "a gap at 4";
  EXPECT_EQ((Log{.segments = {{0, 5}, {7, 8}}}).Told(found), "7: 7") << "a gap at 5 and 6";
  EXPECT_EQ((Log{.segments = {{6, 8}}, .log_start = 6}).Told(found), "7: 3 4 5 6 7") << "deleted, and was there";
  EXPECT_EQ((Log{.segments = {{0, 3}}}).Told(found), "") << "nothing of it";
  EXPECT_EQ((Log{.segments = {{0, 8}}, .uuid = "another topic"}).Told(found), "");
  EXPECT_TRUE(found.HeldIn({}, {}, {}).empty());
}

TEST(FoundProducersTest, ALaterEpochAndNumbersBegunAnewLeaveNothingOfTheEarlierOnes) {
  FoundProducers found;
  found.Add(Directory(0, 3, {Window(7, 0, 3)}));
  found.Add(Directory(3, 5, {Window(7, 3, 5, 1, 3), Window(8, 3, 4)}));
  found.Add(Directory(5, 6, {Window(8, 5, 6)}));
  const Log log{.segments = {{0, 6}}};
  EXPECT_EQ(log.Told(found), "7: 3 4; 8: 5");
  EXPECT_EQ(log.Held(found)[0].window.epoch, 1);
  EXPECT_EQ((Log{.segments = {{0, 3}}}).Held(found)[0].window.epoch, 0) << "the later one is lost";
}

TEST(FoundProducersTest, OfWhomMayHaveBeenLeftOutNothingOlderIsBelieved) {
  FoundProducers found;
  found.Add(Directory(0, 4, {Window(7, 0, 4), Window(8, 0, 4)}));
  found.Add(Directory(4, 8, {Window(9, 4, 6)}, 1));
  const Log log{.segments = {{0, 4}, {4, 8}, {8, 10}}};
  EXPECT_EQ(log.Told(found), "9: 4 5");
  found.Add(Directory(8, 10, {Window(7, 8, 10)}));
  EXPECT_EQ(log.Told(found), "9: 4 5; 7: 8 9") << "heard of behind it";
}

TEST(FoundProducersTest, ASnapshotTellsOfThoseOfItsTopics) {
  Snapshot snapshot;
  snapshot.topics.push_back({.id = TopicId(1), .uuid = kUuid, .name = "t"});
  snapshot.producers.push_back({.partition = kPartition, .touched_ms = 500, .window = Window(7, 0, 4)});
  snapshot.producers.push_back({.partition = {TopicId(2), PartitionId(0)}, .touched_ms = 5, .window = Window(7, 0, 4)});
  FoundProducers found;
  found.Add(Directory(4, 6, {Window(7, 4, 6)}));
  found.Add(snapshot);
  EXPECT_EQ((Log{.segments = {{0, 4}, {4, 6}}}).Told(found), "7: 1 2 3 4 5");
  EXPECT_EQ((Log{.segments = {{0, 4}}}).Held(found)[0].touched_ms, 6'000);
}

TEST(FoundProducersTest, BeyondWhatIsKeptWhoWasHeardOfLeastRecentlyGoesForGood) {
  constexpr std::int64_t kEach = 1'000;
  constexpr std::int64_t kObjects = 2 * static_cast<std::int64_t>(FoundProducers::kProducersKept) / kEach + 1;
  FoundProducers found;
  for (std::int64_t object = kObjects - 1; object >= 0; --object) {  // the newest first
    std::vector<ProducerWindow> producers;
    for (std::int64_t i = 0; i < kEach; ++i) producers.push_back(Window(object * kEach + i, object + 1, object + 2));
    found.Add(Directory(object + 1, object + 2, std::move(producers)));
  }
  const Log log{.segments = {{0, static_cast<int>(kObjects) + 1}}};
  const auto held = log.Held(found);
  ASSERT_EQ(held.size(), FoundProducers::kProducersKept);
  EXPECT_EQ(held.back().window.id / kEach, kObjects - 1);
  const std::int64_t oldest_ms = held.front().touched_ms;
  EXPECT_GT(oldest_ms, 2'000);
  found.Add(Directory(0, 1, {Window(3, 0, 1)}));  // older than what was dropped of it
  EXPECT_EQ(log.Held(found).size(), FoundProducers::kProducersKept);
}

}  // namespace
}  // namespace millrace
