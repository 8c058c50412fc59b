// Goal: from what lies in a store comes the log that its objects hold: no record twice, none left out that a whole
// chain has, every hole told. Method: surveys made by hand; the function does no I/O.
#include "tier/log_linking.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "meta/topic_rules.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

struct Found {
  LogSurvey survey{.log = {.identity = "00112233445566778899aabbccddeeff"}};

  struct Range {
    std::int64_t base, end;
    int partition = 0;
    std::int64_t log_start = 0;
    std::int32_t epoch = 0;
  };
  /// An object with these ranges of a topic.
  void Object(std::uint32_t generation, std::uint64_t sequence, const std::vector<Range>& ranges,
              const std::string& topic = "t", std::int64_t number = 1) {
    FoundObject object{.name = {generation, 1, sequence}, .key = "k", .size_bytes = 100};
    object.directory.topics.push_back(
        {.uuid = StoredIdOf(topic + "uuid"), .number = TopicId(number), .options = {.partitions = 2}, .name = topic});
    for (const Range& range : ranges)
      object.directory.entries.push_back({.partition = PartitionId(range.partition),
                                          .epoch = LeaderEpoch(range.epoch),
                                          .byte_size = 10,
                                          .base = Offset(range.base),
                                          .end = Offset(range.end),
                                          .records = static_cast<std::uint64_t>(range.end - range.base),
                                          .log_start = Offset(range.log_start),
                                          .ceiling = CeilingOver(Offset(range.end))});
    survey.objects.push_back(std::move(object));
    std::ranges::sort(survey.objects, {}, &FoundObject::name);
  }
  /// The snapshot has topic t with [0, end) in one segment of object 9.
  void TakeSnapshot(std::int64_t end, std::int64_t next_topic = 1) {
    survey.snapshot.emplace();
    survey.snapshot->head.generation = 1;
    survey.snapshot->store.push_back({.name = std::string(kNextTopicName), .number = next_topic});
    survey.snapshot->topics.push_back(
        {.id = TopicId(1), .uuid = TextOf(StoredIdOf("tuuid")), .name = "t", .options = {.partitions = 2}});
    for (int i = 0; i < 2; ++i)
      survey.snapshot->partitions.push_back(
          {.key = {TopicId(1), PartitionId(i)}, .tiered_end = Offset(i == 0 ? end : 0)});
    survey.snapshot->segments.push_back({.partition = {TopicId(1), PartitionId(0)},
                                         .base = Offset(0),
                                         .end = Offset(end),
                                         .object = {9},
                                         .byte_size = 5,
                                         .records = static_cast<std::uint64_t>(end)});
    survey.snapshot->objects.push_back({.id = {9}, .key = "nine", .state = ObjectState::kCommitted, .segments = 1});
  }
};

/// "[0,10) [10,20) -[20,…)" of a partition: gaps with a dash.
std::string Chain(const LinkedLog& linked, int partition = 0, std::int64_t topic = 1) {
  std::string text;
  for (const SegmentRow& row : linked.segments) {
    if (row.partition != PartitionKey{TopicId(topic), PartitionId(partition)}) continue;
    const bool reserved = row.is_lost_disk();
    text += (text.empty() ? "" : " ") + std::string(row.is_gap() ? "-" : "") + "[" + std::to_string(row.base.value()) +
            "," + (reserved ? "…" : std::to_string(row.end.value())) + ")";
  }
  return text;
}

const PartitionRow& RowOf(const LinkedLog& linked, int partition = 0) {
  for (const PartitionRow& row : linked.partitions)
    if (row.key.partition == PartitionId(partition)) return row;
  ADD_FAILURE() << "no such partition";
  return linked.partitions.front();
}

TEST(LogLinkingTest, ObjectsAloneGiveTheLog) {
  Found found;
  found.Object(1, 0, {{0, 10}, {0, 3, 1}});
  found.Object(1, 1, {{10, 20}});
  found.Object(2, 0, {{20, 25}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) [10,20) [20,25) -[25,…)");
  EXPECT_EQ(Chain(linked, 1), "[0,3) -[3,…)");
  ASSERT_EQ(linked.topics.size(), 1U);
  EXPECT_EQ(linked.topics[0].name, "t");
  EXPECT_EQ(linked.records, 28U);
  EXPECT_EQ(RowOf(linked).tiered_end, CeilingOver(Offset(25)));
  EXPECT_EQ(RowOf(linked).epoch, LeaderEpoch(1));
  EXPECT_EQ(RowOf(linked).segments, 4U);
  EXPECT_EQ(RowOf(linked).segment_bytes, 30U);
  ASSERT_EQ(linked.objects.size(), 3U);
  EXPECT_EQ(linked.objects[0].segments, 2U);
  EXPECT_EQ(linked.objects[0].state, ObjectState::kCommitted);
  EXPECT_EQ(linked.linked, 3U);
  EXPECT_EQ(linked.unlinked, 0U);
}

TEST(LogLinkingTest, APartitionWithoutAnyObjectGoesOnAboveWhatItMayHaveGiven) {
  Found found;
  found.Object(1, 0, {{0, 10}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(RowOf(linked, 1).tiered_end, CeilingOver(Offset(0)));
  EXPECT_EQ(Chain(linked, 1), "-[0,…)");
}

TEST(LogLinkingTest, OfTwoCopiesOneIsTakenAndTheChainThatReachesFarthest) {
  Found found;
  found.Object(1, 0, {{0, 10}});
  found.Object(1, 1, {{0, 10}});   // put again, since the first had no answer
  found.Object(1, 2, {{10, 15}});  // given up as well
  found.Object(1, 3, {{10, 20}});
  found.Object(1, 4, {{20, 30}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) [10,20) [20,30) -[30,…)");
  EXPECT_EQ(linked.unlinked, 2U);
  EXPECT_EQ(linked.records, 30U);
}

TEST(LogLinkingTest, AHoleBeforeWhatWasUnderWayWentWithTheDisk) {
  Found found;
  found.Object(1, 0, {{0, 10}});
  found.Object(1, 2, {{12, 20}});
  found.survey.objects.back().directory.settled = 1;  // its own attempt and the one before had not ended
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) -[10,…) [12,20) -[20,…)");
  ASSERT_GE(linked.lost.size(), 2U);
  EXPECT_EQ(linked.lost[0].end, Offset(12));
  EXPECT_FALSE(linked.lost[0].reserved);
}

TEST(LogLinkingTest, AHoleIsBridgedAndToldAsDamage) {
  Found found;
  found.Object(1, 0, {{0, 10}});
  found.Object(1, 2, {{12, 20}});
  found.Object(1, 3, {{20, 21}}, "t");
  found.survey.objects.back().directory.settled = 3;
  found.survey.objects.back().directory.entries.clear();
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) -[10,12) [12,20) -[20,…)");
  ASSERT_GE(linked.lost.size(), 2U);
  EXPECT_EQ(linked.lost[0].begin, Offset(10));
  EXPECT_EQ(linked.lost[0].end, Offset(12));
  EXPECT_FALSE(linked.lost[0].reserved);
  EXPECT_TRUE(linked.lost[1].reserved);
}

TEST(LogLinkingTest, WhatWasTrimmedBeforeItWasUploadedIsNoHole) {
  Found found;
  found.Object(1, 0, {{.base = 40, .end = 50, .log_start = 40}});
  found.Object(1, 1, {{.base = 50, .end = 60, .log_start = 45}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[40,50) [50,60) -[60,…)");
  EXPECT_EQ(RowOf(linked).log_start, Offset(45));
}

TEST(LogLinkingTest, TheSnapshotComesFirstAndObjectsBehindIt) {
  Found found;
  found.TakeSnapshot(10);
  found.Object(1, 4, {{10, 20}});
  found.Object(1, 5, {{.base = 20, .end = 30, .log_start = 5}});
  found.survey.snapshot->positions.push_back({{"g", {TopicId(1), PartitionId(0)}}, Offset(3)});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) [10,20) [20,30) -[30,…)");
  EXPECT_EQ(RowOf(linked).log_start, Offset(5));
  ASSERT_EQ(linked.positions.size(), 1U);
  EXPECT_EQ(linked.positions[0].position, Offset(5));
}

TEST(LogLinkingTest, WhatTheSnapshotHasAsGivenUpIsNotTaken) {
  Found found;
  found.TakeSnapshot(10);
  found.Object(1, 4, {{10, 20}});
  found.survey.snapshot->objects.push_back(
      {.id = ObjectIdOf({1, 1, 4}), .key = "k", .state = ObjectState::kDeleting, .changed_ms = 5});
  found.Object(1, 5, {{10, 20}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) [10,20) -[20,…)");
  EXPECT_EQ(linked.segments[1].object, ObjectIdOf({1, 1, 5}));
  const auto given_up = std::ranges::find(linked.objects, ObjectIdOf({1, 1, 4}), &ObjectRow::id);
  ASSERT_NE(given_up, linked.objects.end());
  EXPECT_EQ(given_up->state, ObjectState::kDeleting);
  EXPECT_EQ(given_up->changed_ms, 5);
}

TEST(LogLinkingTest, AnObjectThatWasUnderWayIsTakenIfItArrived) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->objects.push_back({.id = ObjectIdOf({1, 1, 4}), .key = "k", .state = ObjectState::kPrepared});
  found.survey.snapshot->objects.push_back({.id = ObjectIdOf({1, 1, 5}), .key = "l", .state = ObjectState::kPrepared});
  found.Object(1, 4, {{10, 20}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[0,10) [10,20) -[20,…)");
  EXPECT_EQ(linked.linked, 1U);
  EXPECT_EQ(std::ranges::find(linked.objects, ObjectIdOf({1, 1, 4}), &ObjectRow::id)->state, ObjectState::kCommitted);
  EXPECT_EQ(std::ranges::find(linked.objects, ObjectIdOf({1, 1, 5}), &ObjectRow::id)->state, ObjectState::kPrepared);
}

TEST(LogLinkingTest, ATopicThatWasDeletedBeforeTheSnapshotStaysDeleted) {
  Found found;
  found.TakeSnapshot(10, 3);
  found.Object(1, 4, {{0, 20}}, "gone", 2);
  found.Object(1, 5, {{0, 20}}, "later", 4);
  const LinkedLog linked = LinkLog(found.survey, kNow);
  ASSERT_EQ(linked.topics.size(), 2U);
  EXPECT_EQ(linked.topics[1].name, "later");
  const auto next = std::ranges::find(linked.store, kNextTopicName, &StoreRow::name);
  EXPECT_EQ(next->number, 4);
}

TEST(LogLinkingTest, AnOlderObjectThatWasUnderWayChangesNoSettings) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->head.nonce = 1;
  found.survey.snapshot->head.settled = 4;
  found.survey.snapshot->head.written_ms = 100;
  found.survey.snapshot->topics[0].options.retention_bytes = 77;
  const auto retention = [&] { return LinkLog(found.survey, kNow).topics.at(0).options.retention_bytes; };
  const auto tell = [&](std::uint64_t sequence, std::int64_t written_ms, std::uint64_t retention_bytes) {
    found.Object(1, sequence,
                 {{static_cast<std::int64_t>(10 * sequence), static_cast<std::int64_t>(10 * sequence + 10)}});
    const auto object =
        std::ranges::find(found.survey.objects, sequence, [](const auto& one) { return one.name.sequence; });
    object->directory.written_ms = written_ms;
    object->directory.topics[0].options.retention_bytes = retention_bytes;
    object->directory.topics[0].options.partitions = 3;
  };
  // Described, then the topic was altered, then the snapshot was put, and then it arrived.
  tell(4, 99, 11);
  EXPECT_EQ(retention(), 77U);
  EXPECT_EQ(LinkLog(found.survey, kNow).topics.at(0).options.partitions, 3);  // of these there are never fewer
  tell(6, 150, 22);
  EXPECT_EQ(retention(), 22U);
  tell(5, 160, 33);  // a lower number, and described later
  EXPECT_EQ(retention(), 33U);
}

TEST(LogLinkingTest, OfTwoTopicsOfOneNameTheLaterOneIsThere) {
  Found found;
  found.Object(1, 0, {{0, 20}}, "t", 1);
  found.survey.objects[0].directory.topics[0].uuid = StoredIdOf("another");
  found.Object(1, 1, {{0, 5}}, "t", 2);
  const LinkedLog linked = LinkLog(found.survey, kNow);
  ASSERT_EQ(linked.topics.size(), 1U);
  EXPECT_EQ(linked.topics[0].id, TopicId(2));
  EXPECT_EQ(Chain(linked, 0, 2), "[0,5) -[5,…)");
  EXPECT_EQ(Chain(linked, 0, 1), "");
  EXPECT_EQ(linked.unlinked, 1U);
}

TEST(LogLinkingTest, RowsReadWhileTheLogWasTrimmedGiveTheTrimmedLog) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->segments.clear();  // dropped after the partition's row was read
  found.Object(1, 4, {{10, 20}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(linked), "[10,20) -[20,…)");
  EXPECT_EQ(RowOf(linked).log_start, Offset(10));
  // The object of the dropped segment is given up: nothing lies in it any more.
  EXPECT_EQ(std::ranges::find(linked.objects, ObjectId{9}, &ObjectRow::id)->state, ObjectState::kDeleting);
}

TEST(LogLinkingTest, WhoTakesOverAgainBeginsHigherStill) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->partitions[0].tiered_end = CeilingOver(Offset(10));
  found.survey.snapshot->segments.push_back({.partition = {TopicId(1), PartitionId(0)},
                                             .base = Offset(10),
                                             .end = CeilingOver(Offset(10)),
                                             .byte_begin = kGapOfLostDisk});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(RowOf(linked).tiered_end, CeilingOver(CeilingOver(Offset(10))));
  EXPECT_EQ(Chain(linked), "[0,10) -[10,…)");  // one gap
  EXPECT_EQ(RowOf(linked).segments, 2U);
  EXPECT_EQ(linked.segments[1].end, RowOf(linked).tiered_end);
}

TEST(LogLinkingTest, AReleasedLogGoesOnAtItsEndsAndNobodyElse) {
  Found found;
  found.TakeSnapshot(100);
  found.Object(1, 50, {{90, 120}}, "t", 1);  // an attempt that never counted
  found.survey.released = Generation{1, 0};
  const LinkedLog released = LinkLog(found.survey, kNow);
  EXPECT_EQ(Chain(released), "[0,100)");
  EXPECT_EQ(RowOf(released).tiered_end, Offset(100));
  EXPECT_EQ(RowOf(released, 1).tiered_end, Offset(0));
  EXPECT_TRUE(released.lost.empty());
  // Of another generation than the snapshot's: that one does not know all that was given.
  found.survey.released = Generation{2, 0};
  EXPECT_EQ(RowOf(LinkLog(found.survey, kNow)).tiered_end, CeilingOver(Offset(120)));
  found.survey.released.reset();
  EXPECT_FALSE(LinkLog(found.survey, kNow).lost.empty());
}

/// "2@10 3@20" of a partition.
std::string Epochs(const LinkedLog& linked, int partition = 0) {
  std::string text;
  for (const EpochRow& row : linked.epochs)
    if (row.partition.partition == PartitionId(partition))
      text += (text.empty() ? "" : " ") + std::to_string(row.epoch.value()) + "@" + std::to_string(row.first.value());
  return text;
}

TEST(LogLinkingTest, TheEpochRisesWhereTheLogEnds) {
  Found found;
  found.Object(1, 0, {{0, 10}, {0, 3, 1}});
  found.Object(2, 0, {{.base = 10, .end = 20, .epoch = 2}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Epochs(linked), "2@10 3@20");
  EXPECT_EQ(RowOf(linked).epoch, LeaderEpoch(3));
  EXPECT_EQ(Epochs(linked, 1), "1@3");
  EXPECT_EQ(RowOf(linked, 1).epoch, LeaderEpoch(1));
}

TEST(LogLinkingTest, EpochsOfTheSnapshotStandAndThoseOfLaterObjectsFollow) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->partitions[0].epoch = LeaderEpoch(4);
  for (const auto& [epoch, first] : {std::pair(2, 3), std::pair(4, 8)})
    found.survey.snapshot->epochs.push_back({{TopicId(1), PartitionId(0)}, LeaderEpoch(epoch), Offset(first)});
  found.Object(1, 4, {{.base = 10, .end = 20, .epoch = 4}});
  found.Object(2, 0, {{.base = 20, .end = 30, .epoch = 6}});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Epochs(linked), "2@3 4@8 6@20 7@30");
  EXPECT_EQ(RowOf(linked).epoch, LeaderEpoch(7));
}

TEST(LogLinkingTest, AnEpochWithoutARowIsThatOfTheWholeLogBeforeIt) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->partitions[0].epoch = LeaderEpoch(4);
  found.Object(2, 0, {{.base = 10, .end = 20, .epoch = 6}});
  EXPECT_EQ(Epochs(LinkLog(found.survey, kNow)), "4@0 6@10 7@20");
}

TEST(LogLinkingTest, AnEpochOfWhichNothingIsLeftIsNoMore) {
  Found found;
  found.TakeSnapshot(10);
  found.survey.snapshot->partitions[0].epoch = LeaderEpoch(4);
  found.survey.snapshot->epochs.push_back({{TopicId(1), PartitionId(0)}, LeaderEpoch(4), Offset(12)});
  const LinkedLog linked = LinkLog(found.survey, kNow);
  EXPECT_EQ(Epochs(linked), "5@10");
  EXPECT_EQ(RowOf(linked).epoch, LeaderEpoch(5));
}

TEST(LogLinkingTest, NoPositionIsAheadOfWhatIsFound) {
  Found found;
  found.TakeSnapshot(10);
  const PartitionKey key{TopicId(1), PartitionId(0)};
  const PositionRow read{
      .key = {"a", key}, .position = Offset(7), .committed_ms = 5, .leader_epoch = LeaderEpoch(3), .metadata = "m"};
  PositionRow ahead = read;
  ahead.key.group = "b";
  ahead.position = Offset(15);
  found.survey.snapshot->positions = {read, ahead};
  const LinkedLog linked = LinkLog(found.survey, kNow);
  ASSERT_EQ(linked.positions.size(), 2U);
  EXPECT_EQ(linked.positions[0], read);
  EXPECT_EQ(linked.positions[1].position, Offset(10));
  EXPECT_FALSE(linked.positions[1].leader_epoch);  // of a record that nobody has any more
  EXPECT_EQ(linked.positions[1].metadata, "m");
}

TEST(LogLinkingTest, GroupsGoOnInAGenerationThatNobodyWasEverTold) {
  Found found;
  found.TakeSnapshot(10);
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  found.survey.snapshot->groups = {{.name = "g", .protocol = "range", .generation = 3, .leader = "m"},
                                   {.name = "old", .generation = kLast}};
  found.survey.snapshot->members = {{.key = {"g", "m"}, .instance = "i", .assignment = "a"}, {.key = {"gone", "n"}}};
  const LinkedLog linked = LinkLog(found.survey, kNow);
  ASSERT_EQ(linked.groups.size(), 2U);
  EXPECT_EQ(linked.groups[0].generation, 3 + kGenerationsAhead);
  EXPECT_EQ(linked.groups[0].leader, "m");
  EXPECT_GT(linked.groups[1].generation, 0);
  EXPECT_LT(linked.groups[1].generation, kLast);
  ASSERT_EQ(linked.members.size(), 1U);  // its group is not there
  EXPECT_EQ(linked.members[0], found.survey.snapshot->members[0]);
}

std::int64_t BlockOf(const LinkedLog& linked) {
  const auto row = std::ranges::find(linked.store, kProducerBlockName, &StoreRow::name);
  return row == linked.store.end() ? -1 : row->number;
}

TEST(LogLinkingTest, BlocksOfProducersIdsGoOnAboveThoseThatMayHaveBeenTaken) {
  Found found;
  found.Object(1, 0, {{0, 10}});
  EXPECT_EQ(BlockOf(LinkLog(found.survey, kNow)), kProducerBlocksAhead);
  found.TakeSnapshot(10);
  found.survey.snapshot->store.push_back({.name = std::string(kProducerBlockName), .number = 7});
  EXPECT_EQ(BlockOf(LinkLog(found.survey, kNow)), 7 + kProducerBlocksAhead);
  found.survey.snapshot->store.back().number = kProducerBlocks - 5;  // there are not so many left
  EXPECT_EQ(BlockOf(LinkLog(found.survey, kNow)), kProducerBlocks - 5);
}

}  // namespace
}  // namespace millrace
