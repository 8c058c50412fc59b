// Goal: snapshots of metadata, with rows of this version and of those before, read the same for ever.
// Method: files written by an independent program are read; the newer one equals the dump in docs/format/snapshot.md.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "tier/snapshot_format.h"
#include "tier/store_keys.h"

namespace millrace {
namespace {

constexpr std::int64_t kMs = 1'700'000'000'000;
constexpr PartitionKey kPartition{TopicId(3), PartitionId(1)};

Result<Snapshot> Golden(const std::string& name) { return DecodeSnapshot(SharedBytes::Copy(ReadGolden(name))); }

void ExpectLog(const Snapshot& snapshot) {
  EXPECT_EQ(snapshot.head, (SnapshotHead{.identity = StoredIdOf("00112233445566778899aabbccddeeff"),
                                         .generation = 7,
                                         .nonce = 0xfeedbeef,
                                         .change = 77,
                                         .settled = 42,
                                         .written_ms = kMs + 40}));
  const ObjectId object = ObjectIdOf({7, 0xfeedbeef, 41});
  EXPECT_EQ(
      snapshot.topics,
      (std::vector<TopicRow>{
          {.id = TopicId(3),
           .uuid = "ffeeddccbbaa99887766554433221100",
           .name = "orders",
           .options = {.partitions = 2, .retention_time = std::chrono::hours(1), .durability = Durability::kObject},
           .created_ms = kMs - 1}}));
  EXPECT_EQ(snapshot.partitions, (std::vector<PartitionRow>{{.key = {TopicId(3), PartitionId(0)}},
                                                            {.key = kPartition,
                                                             .epoch = LeaderEpoch(2),
                                                             .log_start = Offset(7),
                                                             .tiered_end = Offset(10),
                                                             .segments = 1,
                                                             .segment_bytes = 375}}));
  EXPECT_EQ(snapshot.segments, (std::vector<SegmentRow>{{.partition = kPartition,
                                                         .base = Offset(7),
                                                         .end = Offset(10),
                                                         .object = object,
                                                         .byte_size = 375,
                                                         .records = 3,
                                                         .timestamp_min_ms = kMs - 5,
                                                         .timestamp_max_ms = kMs + 10,
                                                         .committed_ms = kMs + 20}}));
  EXPECT_EQ(snapshot.objects, (std::vector<ObjectRow>{{.id = object,
                                                       .key = "o/k",
                                                       .size_bytes = 598,
                                                       .state = ObjectState::kCommitted,
                                                       .changed_ms = kMs + 20,
                                                       .segments = 1}}));
  EXPECT_EQ(snapshot.positions, (std::vector<PositionRow>{{.key = {"g", kPartition},
                                                           .position = Offset(9),
                                                           .committed_ms = kMs + 30,
                                                           .leader_epoch = LeaderEpoch(2),
                                                           .metadata = "m"}}));
}

TEST(SnapshotGoldenTest, ReadsRowsOfVersion1) {
  const auto snapshot = Golden("snapshot-v1.bin");
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  ExpectLog(*snapshot);
  EXPECT_EQ(snapshot->store.size(), 2U);
  EXPECT_TRUE(snapshot->epochs.empty());
  EXPECT_TRUE(snapshot->groups.empty());
  EXPECT_TRUE(snapshot->members.empty());
}

void ExpectGroups(const Snapshot& snapshot) {
  EXPECT_EQ(snapshot.store, (std::vector<StoreRow>{{.name = "identity", .text = "00112233445566778899aabbccddeeff"},
                                                   {.name = "next_topic", .number = 3},
                                                   {.name = "producer_block", .number = 2, .text = "ab"}}));
  EXPECT_EQ(snapshot.epochs, (std::vector<EpochRow>{{kPartition, LeaderEpoch(2), Offset(8)}}));
  EXPECT_EQ(snapshot.groups,
            (std::vector<GroupRow>{
                {.name = "g", .protocol_type = "consumer", .protocol = "range", .generation = 5, .leader = "c-1"}}));
  EXPECT_EQ(snapshot.members, (std::vector<GroupMemberRow>{{.key = {"g", "c-1"},
                                                            .place = 1,
                                                            .instance = "i",
                                                            .client_id = "c",
                                                            .client_host = "/h",
                                                            .session_timeout_ms = 45'000,
                                                            .rebalance_timeout_ms = 60'000,
                                                            .metadata = "s",
                                                            .assignment = "a"}}));
}

TEST(SnapshotGoldenTest, ReadsRowsOfVersion2) {
  const auto snapshot = Golden("snapshot-v2.bin");
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  ExpectLog(*snapshot);
  ExpectGroups(*snapshot);
  EXPECT_TRUE(snapshot->producers.empty());
}

TEST(SnapshotGoldenTest, Reads) {
  const auto snapshot = Golden("snapshot-v3.bin");
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  ExpectLog(*snapshot);
  ExpectGroups(*snapshot);
  KnownProducer producer{.partition = kPartition, .touched_ms = kMs + 25, .window = {.id = 5}};
  producer.window.Push(1, {.first = 0, .last = 1, .base = Offset(7), .timestamp_ms = kMs});
  producer.window.Push(1, {.first = 2, .last = 2, .base = Offset(9), .timestamp_ms = kMs + 10});
  EXPECT_EQ(snapshot->producers, (std::vector<KnownProducer>{producer}));
}

TEST(SnapshotGoldenTest, IsTheOneInThePage) { EXPECT_EQ(BytesInPage("snapshot.md"), ReadGolden("snapshot-v3.bin")); }

}  // namespace
}  // namespace millrace
