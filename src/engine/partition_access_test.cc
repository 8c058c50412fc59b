// Goal: what a server is told of topics, partitions, room, epochs and reads is what the engine has, after every change
// of it and after Close. Method: an engine without threads, or a real one where room has to be waited for.
#include "engine/partition_access.h"

#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/door_fixture.h"
#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

class PartitionAccessTest : public EngineFixture {
 protected:
  PartitionAccessTest() {
    EngineOptions options = OnSimulatedDisk();
    options.sync = SyncPolicy::None();
    engine_ = SteppedEngine::Open(options).value();
    EXPECT_TRUE(engine_->CreateTopic("t", {.partitions = 2, .durability = Durability::kOs}));
    access_.emplace(*engine_);
  }
  StagedBatch Append(PartitionHandle partition, int count = 1, std::size_t bytes = 100,
                     std::int64_t timestamp_ms = 1000) {
    Buffer batch = WireBatch(count, bytes, timestamp_ms);
    return access_->TryAppend(partition, batch).value();
  }

  SteppedEngine engine_;
  std::optional<PartitionAccess> access_;
};

TEST_F(PartitionAccessTest, ImageFollowsEveryChangeOfTopics) {
  auto image = access_->image();
  ASSERT_EQ(image->topics().size(), 1U);
  const TopicImage* topic = image->Find("t");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->partitions.size(), 2U);
  EXPECT_EQ(topic->options.durability, Durability::kOs);
  EXPECT_EQ(topic->partitions[1].handle, access_->Find("t", PartitionId(1)));
  EXPECT_EQ(image->Find(topic->uuid), topic);
  EXPECT_EQ(access_->image(), image) << "nothing has changed";
  EXPECT_TRUE(access_->IsCurrent(*image));

  ASSERT_TRUE(engine_->CreateTopic("a"));
  EXPECT_FALSE(access_->IsCurrent(*image));
  auto next = access_->image();
  ASSERT_EQ(next->topics().size(), 2U);
  EXPECT_EQ(next->topics()[0]->name, "a");
  EXPECT_EQ(next->Find("t"), topic) << "shared with the image before";
  EXPECT_EQ(image->Find("a"), nullptr) << "an image never changes";

  ASSERT_TRUE(engine_->AlterTopic("t", {.partitions = 3, .retention_bytes = 7}));
  next = access_->image();
  EXPECT_EQ(next->Find("t")->partitions.size(), 3U);
  EXPECT_EQ(next->Find("t")->options.retention_bytes, 7U);
  EXPECT_EQ(topic->partitions.size(), 2U);
  EXPECT_GT(next->version(), image->version());

  ASSERT_TRUE(engine_->DeleteTopic("t"));
  EXPECT_EQ(access_->image()->Find("t"), nullptr);
  ASSERT_TRUE(engine_->CreateTopic("t"));
  EXPECT_NE(access_->image()->Find("t")->uuid, topic->uuid);
  EXPECT_EQ(access_->image()->Find(topic->uuid), nullptr);
}

TEST_F(PartitionAccessTest, PartitionsAreFoundByNameAndByUuid) {
  const TopicUuid uuid = access_->image()->Find("t")->uuid;
  const PartitionHandle found = access_->Find("t", PartitionId(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found.name(), At("t", 1));
  EXPECT_EQ(access_->Find(uuid, PartitionId(1)), found);
  for (const std::int32_t number : {2, -1}) {
    EXPECT_FALSE(access_->Find("t", PartitionId(number)));
    EXPECT_FALSE(access_->Find(uuid, PartitionId(number)));
  }
  EXPECT_FALSE(access_->Find("u", PartitionId(0)));
  EXPECT_FALSE(access_->Find(TopicUuid(), PartitionId(0)));
}

TEST_F(PartitionAccessTest, UuidIsReadFromHexAlone) {
  const auto uuid = TopicUuid::FromHex("000102030405060708090A0b0c0d0eFf");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(uuid->bytes[10], 0x0a);
  EXPECT_EQ(uuid->bytes[15], 0xff);
  EXPECT_FALSE(TopicUuid::FromHex("000102030405060708090a0b0c0d0ef"));
  EXPECT_FALSE(TopicUuid::FromHex("000102030405060708090a0b0c0d0e0g"));
  EXPECT_FALSE(TopicUuid::FromHex(""));
}

TEST_F(PartitionAccessTest, HandleOfADeletedTopicAnswersNotFound) {
  const PartitionHandle gone = access_->Find("t", PartitionId(0));
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Buffer batch = WireBatch();
  EXPECT_EQ(CodeOf(access_->TryAppend(gone, batch)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->ReadTail(gone, Offset(0), 1)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->Read(gone, Offset(0), {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->Marks(gone)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->VisibleBytes(gone, Offset(0), 1)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->LookupTime(gone, 0)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->Epoch(gone)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(access_->CheckAlive({})), ErrorCode::kNotFound) << "as none does";
}

TEST_F(PartitionAccessTest, EveryCallAnswersClosedAfterClose) {
  const PartitionHandle partition = access_->Find("t", PartitionId(0));
  ASSERT_TRUE(engine_->Close());
  Buffer batch = WireBatch();
  EXPECT_EQ(CodeOf(access_->TryAppend(partition, batch)), ErrorCode::kClosed);
  EXPECT_GT(batch.size(), 0U);
  EXPECT_EQ(CodeOf(access_->ReadTail(partition, Offset(0), 1)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(access_->Read(partition, Offset(0), {})), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(access_->LookupMaxTimestamp(partition)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(access_->CheckAlive(partition)), ErrorCode::kClosed);
  std::optional<ErrorCode> room;
  access_->OnRoom(1, [&](const Result<void>& result) { room = CodeOf(result); });
  EXPECT_EQ(room, ErrorCode::kClosed);
  EXPECT_NE(access_->image(), nullptr);
}

TEST_F(PartitionAccessTest, ReadsWhatItStagedFromMemoryAndFromElsewhere) {
  const PartitionHandle partition = access_->Find("t", PartitionId(0));
  const StagedBatch staged = Append(partition, 3, 100, 5);
  EXPECT_EQ(staged.base, Offset(0));
  EXPECT_EQ(staged.end, Offset(3));
  EXPECT_EQ(staged.timestamp_ms, 5);
  const auto tail = access_->ReadTail(partition, Offset(1), 1 << 20);
  ASSERT_TRUE(tail) << Told(tail);
  ASSERT_EQ(tail->batches.size(), 1U);
  const auto read = access_->Read(partition, Offset(1), {.bytes_max = 1 << 20});
  ASSERT_TRUE(read) << Told(read);
  ASSERT_EQ(read->batches.size(), 1U);
  EXPECT_EQ(AsText(read->batches[0]), AsText(tail->batches[0]));
  EXPECT_EQ(read->high_watermark, Offset(3));

  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  EXPECT_EQ(access_->Read(partition, Offset(1), {})->batches.size(), 1U);
  const auto none = access_->Read(partition, Offset(1), {.bytes_max = 10}, Overshoot::kNever);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->batches.empty());
  EXPECT_EQ(none->next, Offset(1));
  EXPECT_EQ(access_->Read(partition, Offset(1), {.bytes_max = 10})->batches.size(), 1U);
}

TEST_F(PartitionAccessTest, MarksAndEpochsAreThoseOfThePartition) {
  const PartitionHandle partition = access_->Find("t", PartitionId(0));
  Append(partition, 3);
  const auto marks = access_->Marks(partition).value();
  EXPECT_EQ(marks.offsets.log_end, Offset(3));
  EXPECT_EQ(marks.visible_end, Offset(3));
  const LeaderEpoch epoch = access_->Epoch(partition).value();
  EXPECT_EQ(access_->image()->Find("t")->partitions[0].epoch, epoch);
  EXPECT_EQ(access_->EpochAt(partition, Offset(2)).value(), epoch);
  const auto end = access_->EndOfEpoch(partition, epoch).value();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->end, Offset(3));
  EXPECT_EQ(end->epoch, epoch);
  EXPECT_FALSE(access_->EndOfEpoch(partition, epoch + 1).value());
  EXPECT_FALSE(access_->EndOfEpoch(partition, epoch + -1).value());
  EXPECT_EQ(access_->durability(partition), Durability::kOs);
}

TEST_F(PartitionAccessTest, RoomIsMadeAndTheAppendGoesThrough) {
  for (const bool threads : {false, true}) {
    EngineOptions options = OnSimulatedDisk();
    options.sync = SyncPolicy::None();
    auto state = Engine::State::Open(options, threads ? Background::kThreads : Background::kNone, {},
                                     {.wal_staging_bytes = 256 << 10});
    ASSERT_TRUE(state) << Told(state);
    const auto engine = Engine::State::Wrap(*std::move(state));
    ASSERT_TRUE(engine->CreateTopic("t"));
    PartitionAccess access(*engine);
    const PartitionHandle partition = access.Find("t", PartitionId(0));
    int waits = 0;
    for (int i = 0; i < 100; ++i) {
      Buffer batch = WireBatch(1, 8 << 10);
      auto staged = access.TryAppend(partition, batch);
      while (!staged) {
        ASSERT_TRUE(PartitionAccess::NeedsRoom(staged.error())) << Told(staged);
        ++waits;
        std::latch called(1);
        access.OnRoom(batch.size(), [&](const Result<void>& room) {
          EXPECT_TRUE(room) << Told(room);
          called.count_down();
        });
        called.wait();
        staged = access.TryAppend(partition, batch);
      }
      EXPECT_EQ(staged->base, Offset(i));
    }
    if (!threads) EXPECT_GT(waits, 0);
  }
}

TEST_F(PartitionAccessTest, WantOfRoomIsToldOnceItHasLastedLongEnough) {
  EngineOptions options = OnSimulatedDisk();
  options.sync = SyncPolicy::None();
  options.wal_bytes_max = 16 << 20;
  options.append_wait_max = std::chrono::milliseconds(1);
  const auto engine = SteppedEngine::Open(options).value();
  ASSERT_TRUE(engine->CreateTopic("t"));
  PartitionAccess access(*engine);
  const PartitionHandle partition = access.Find("t", PartitionId(0));
  std::optional<Error> refused;
  for (int i = 0; i < 200 && !refused; ++i) {
    Buffer batch = WireBatch(1, 1 << 20);
    const auto staged = access.TryAppend(partition, batch);
    if (staged) continue;
    ASSERT_TRUE(PartitionAccess::NeedsRoom(staged.error())) << Told(staged);
    access.OnRoom(batch.size(), [&](const Result<void>& room) {
      if (!room) refused = room.error();
    });
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), ErrorCode::kOutOfSpace);
}

}  // namespace
}  // namespace millrace
