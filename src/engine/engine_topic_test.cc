// Topics: names, options, growth, deletion. Method: real files in a temporary directory.
// Proves R8, R25, B9, B16, B17, and the sentences on deletion in the contract.
#include <algorithm>
#include <numeric>
#include <random>
#include <thread>

#include "engine/engine_fixture.h"

namespace millrace {
namespace {

using EngineTopicTest = EngineFixture;

TEST_F(EngineTopicTest, LegalNamesWorkAndOthersAreRefusedAndCreateNothing) {
  const auto engine = Open();
  for (const std::string& name :
       {std::string("a"), std::string("A.b-c_9"), std::string("..."), std::string(249, 'n')}) {
    ASSERT_TRUE(engine->CreateTopic(name)) << name;
    AppendNumbers(*engine, At(name), 1);
  }
  const std::string bad[] = {"", ".", "..", std::string(250, 'n'), "a/b", std::string("a\0b", 3), "\xc3\xa4", "a b"};
  for (const std::string& name : bad) EXPECT_EQ(CodeOf(engine->CreateTopic(name)), ErrorCode::kInvalidArgument) << name;
  EXPECT_EQ(engine->DescribeTopics()->size(), 4U);
}

TEST_F(EngineTopicTest, OptionsAreChecked) {
  const auto engine = Open();
  EXPECT_EQ(CodeOf(engine->CreateTopic("t", {.partitions = 0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->CreateTopic("t", {.partitions = 100'001})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->CreateTopic("t", {.retention_time = std::chrono::milliseconds(0)})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->CreateTopic("t", {.retention_bytes = 0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->CreateTopic("t", {.cleanup = Cleanup::kCompact})), ErrorCode::kUnsupported);
  EXPECT_TRUE(engine->DescribeTopics()->empty());
  ASSERT_TRUE(engine->CreateTopic("t"));
  EXPECT_EQ(CodeOf(engine->CreateTopic("t")), ErrorCode::kAlreadyExists);
}

TEST_F(EngineTopicTest, PartitionsGrowAndNeverShrink) {
  TopicOptions options{.partitions = 2, .retention_bytes = 1'000};
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("t", options));
    options.partitions = 5;
    ASSERT_TRUE(engine->AlterTopic("t", options));
    AppendNumbers(*engine, At("t", 4), 3);
    options.partitions = 4;
    EXPECT_EQ(CodeOf(engine->AlterTopic("t", options)), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf(engine->AlterTopic("u", options)), ErrorCode::kNotFound);
  }
  const auto engine = Open();
  const auto topics = engine->DescribeTopics();
  ASSERT_TRUE(topics);
  ASSERT_EQ(topics->size(), 1U);
  EXPECT_EQ(topics->front().options.partitions, 5);
  EXPECT_EQ(topics->front().options.retention_bytes, 1'000U);
  ASSERT_EQ(topics->front().partitions.size(), 5U);
  EXPECT_EQ(topics->front().partitions[4].offsets.log_end, Offset(3));
  EXPECT_EQ(ReadAll(*engine, At("t", 4)), Numbers(0, 3));
}

TEST_F(EngineTopicTest, ADeletedTopicIsGoneWithItsPositionsAndWakesItsWaiters) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  ASSERT_TRUE(engine->CreateTopic("other"));
  AppendNumbers(*engine, At("t"), 5);
  AppendNumbers(*engine, At("other"), 5);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->SeekGroup("g", At("t"), Offset(3)));
  auto consumer = engine->OpenConsumer({.topics = {"t"}});
  ASSERT_TRUE(consumer);
  ASSERT_EQ((*consumer)->Poll(10)->size(), 5U);
  {
    std::jthread deleter([&] { ASSERT_TRUE(engine->DeleteTopic("t")); });
    EXPECT_EQ(CodeOf((*consumer)->Poll(1, std::chrono::hours(1))), ErrorCode::kNotFound);
  }
  EXPECT_EQ(CodeOf(engine->Append("t", "x")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->DescribeGroup("g")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->DeleteTopic("t")), ErrorCode::kNotFound);
  ASSERT_TRUE(engine->CreateTopic("t"));
  EXPECT_EQ(engine->Offsets(At("t"))->log_end, Offset(0));
  AppendNumbers(*engine, At("t"), 2, 100);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(100, 102));
  EXPECT_EQ(ReadAll(*engine, At("other")), Numbers(0, 5));
  ASSERT_TRUE(engine->Close());
  EXPECT_EQ(ReadAll(*Open(), At("t")), Numbers(100, 102));
}

TEST_F(EngineTopicTest, UnknownTopicsDisturbNobody) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  EXPECT_EQ(CodeOf(engine->Read(At("u"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->ReadBatches(At("u"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->Read(At("t", 1), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({.topics = {"u"}})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({.partitions = {At("t", 7)}})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->Offsets(At("u"))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OffsetForTime(At("u"), 0)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->DeleteRecords(At("u"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->PartitionFor("u", "k")), ErrorCode::kNotFound);
  EXPECT_EQ(engine->DescribeTopics()->size(), 1U);
}

TEST_F(EngineTopicTest, ThousandsOfTopicsAreFoundInAnyOrderAndAfterReopening) {
  // Metadata in memory makes five thousand a matter of a moment; fewer on disk show that they come back.
  for (const auto& [topics, metadata] : {std::pair(5'000, "memory:"), std::pair(300, "sqlite:")}) {
    EngineOptions options = Options();
    options.data_dir = directory_.path() / std::to_string(topics);
    options.metadata_store = metadata;
    options.upload.segment_age_max =
        std::chrono::hours(1);  // else a slow machine uploads what grew old between two appends
    std::vector<int> order(topics);
    std::iota(order.begin(), order.end(), 0);
    std::mt19937 shuffle(1);
    {
      const auto engine = Open(options);
      for (const int i : order) {
        ASSERT_TRUE(engine->CreateTopic("topic-" + std::to_string(i)));
        ASSERT_TRUE(engine->Append("topic-" + std::to_string(i), std::to_string(i), {.durability = Durability::kOs}));
      }
      std::ranges::shuffle(order, shuffle);
      for (const int i : order) ASSERT_EQ(ReadAll(*engine, At("topic-" + std::to_string(i))), Numbers(i, i + 1));
      const auto uploaded = engine->Upload();
      ASSERT_TRUE(uploaded) << Told(uploaded);
      EXPECT_LE(engine->Stats().object_puts, 20U);  // many small partitions share an object
    }
    if (metadata == std::string("memory:")) continue;
    const auto engine = Open(options);
    std::ranges::shuffle(order, shuffle);
    for (const int i : order) ASSERT_EQ(ReadAll(*engine, At("topic-" + std::to_string(i))), Numbers(i, i + 1));
  }
}

TEST_F(EngineTopicTest, ReadsOfManyPartitionsKeepTheirOrderAndOneFailureHidesNobody) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 3}));
  for (int i = 0; i < 3; ++i) AppendNumbers(*engine, At("t", i), 4, 10 * i);
  const std::vector<ReadRequest> requests = {{At("t", 2), Offset(1)},
                                             {At("u"), Offset(0)},
                                             {At("t", 0), Offset(9)},
                                             {At("t", 1), Offset(4)},
                                             {At("t", 1), Offset(0)}};
  const auto results = engine->ReadMany(requests);
  ASSERT_EQ(results.size(), 5U);
  ASSERT_TRUE(results[0]) << Told(results[0]);
  EXPECT_EQ(results[0]->records.size(), 3U);
  EXPECT_EQ(results[0]->records[0].value, "21");
  EXPECT_EQ(results[0]->high_watermark, Offset(4));
  EXPECT_EQ(CodeOf(results[1]), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(results[2]), ErrorCode::kOutOfRange);
  ASSERT_TRUE(results[3]);
  EXPECT_TRUE(results[3]->records.empty());
  EXPECT_EQ(results[3]->high_watermark, Offset(4));
  ASSERT_TRUE(results[4]);
  EXPECT_EQ(results[4]->records.size(), 4U);
}

}  // namespace
}  // namespace millrace
