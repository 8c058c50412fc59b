// Goal: what clients ask of topics, offsets and the server itself is answered as Kafka does. Method: a connection
// without a socket over a real log.
#include <filesystem>
#include <set>

#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_for_leader_epoch.h"
#include "server/kafka/broker_fixture.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

class HandlersTest : public BrokerFixture {
 protected:
  explicit HandlersTest(BrokerSettings settings = {.cluster_id = "test-cluster", .host = "localhost", .port = 9092},
                        const Past& past = {})
      : BrokerFixture(std::move(settings), past), client_(Connect()) {}

  kafka::MetadataResponse Describe(std::vector<kafka::MetadataRequest::Topic> topics, std::int16_t version = 9) {
    asked_ = std::move(topics);
    kafka::MetadataRequest request;
    request.topics = kafka::Array<kafka::MetadataRequest::Topic>(asked_);
    return client_.Call<kafka::MetadataResponse>(request, version);
  }
  kafka::MetadataResponse DescribeAll(std::int16_t version = 9) {
    kafka::MetadataRequest request;
    request.topics = std::nullopt;
    return client_.Call<kafka::MetadataResponse>(request, version);
  }
  kafka::ListOffsetsResponse::Partition List(std::int64_t time, std::int16_t version = 10,
                                             std::string_view topic = "t") {
    const kafka::ListOffsetsRequest::Partition partition{.timestamp = time};
    const kafka::ListOffsetsRequest::Topic one{.name = topic, .partitions = {&partition, 1}};
    kafka::ListOffsetsRequest request;
    request.topics = {&one, 1};
    const auto response = client_.Call<kafka::ListOffsetsResponse>(request, version);
    return response.topics[0].partitions[0];
  }
  std::int16_t Create(kafka::CreateTopicsRequest::Topic topic, bool validate_only = false, std::int16_t version = 7) {
    kafka::CreateTopicsRequest request;
    request.topics = {&topic, 1};
    request.validate_only = validate_only;
    created_ = client_.Call<kafka::CreateTopicsResponse>(request, version);
    return created_.topics[0].error_code;
  }

  TestClient& client_;
  std::vector<kafka::MetadataRequest::Topic> asked_;
  kafka::CreateTopicsResponse created_;
};

TEST_F(HandlersTest, ApiVersionsShowsWhatIsServedAndProduceFromZero) {
  const auto response = client_.Call<kafka::ApiVersionsResponse>(
      kafka::ApiVersionsRequest{.client_software_name = "kcat", .client_software_version = "1"}, 3);
  std::set<std::int16_t> keys;
  for (const auto& row : response.api_keys) {
    keys.insert(row.api_key);
    if (row.api_key == 0)
      EXPECT_EQ(std::pair(row.min_version, row.max_version), std::pair(std::int16_t{0}, std::int16_t{11}));
  }
  EXPECT_EQ(keys, (std::set<std::int16_t>{0,  1,  2,  3,  8,  9,  10, 11, 12, 13, 14, 15,
                                          16, 18, 19, 20, 22, 23, 32, 37, 42, 47, 60}));
  EXPECT_EQ(client_.connection().client().software, "kcat 1");
}

TEST_F(HandlersTest, AnUnknownVersionOfApiVersionsIsAnsweredInVersionZero) {
  kafka::WireWriter out(0, false);
  out.Int32(10);
  out.Int16(18);
  out.Int16(99);
  out.Int32(1);
  out.Int16(-1);
  ASSERT_TRUE(client_.Send(out.Finish()));
  const auto frame = client_.NextFrame();
  ASSERT_TRUE(frame);
  kafka::WireReader in(AsBytes(*frame), arena_);
  const auto response = kafka::DecodeResponse<kafka::ApiVersionsResponse>(in, 0, 1);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->error_code, reply_code::kUnsupportedVersion);
  ASSERT_EQ(response->api_keys.size(), 1U);
  EXPECT_EQ(response->api_keys[0].api_key, 18);
  EXPECT_FALSE(client_.connection().over());
}

TEST_F(HandlersTest, WhatIsNotServedClosesTheConnection) {
  for (const auto& [key, version] : {std::pair(0, 2), std::pair(22, 6), std::pair(1, 13), std::pair(-7, 0)}) {
    TestClient& client = Connect();
    kafka::WireWriter out(0, false);
    out.Int32(10);
    out.Int16(static_cast<std::int16_t>(key));
    out.Int16(static_cast<std::int16_t>(version));
    out.Int32(1);
    out.Int16(-1);
    ASSERT_TRUE(client.Send(out.Finish()));
    EXPECT_TRUE(client.connection().over()) << key;
    EXPECT_FALSE(client.connection().why_closed().empty());
  }
}

TEST_F(HandlersTest, GarbageClosesTheConnection) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(4, '\0'), std::string("\0\0\0\2\0\3", 6)}) {
    TestClient& client = Connect();
    (void)client.SendBytes(bytes);
    EXPECT_TRUE(client.connection().over());
  }
}

TEST_F(HandlersTest, MetadataNamesThisNodeAsLeaderAndController) {
  CreateTopic("a", 2);
  for (std::int16_t version = 0; version <= 12; ++version) {
    const auto response = Describe({{.name = "a"}}, version);
    ASSERT_EQ(response.brokers.size(), 1U);
    EXPECT_EQ(response.brokers[0].host, "localhost");
    EXPECT_EQ(response.brokers[0].port, 9092);
    if (version >= 1) EXPECT_EQ(response.controller_id, response.brokers[0].node_id);
    if (version >= 2) EXPECT_EQ(*response.cluster_id, "test-cluster");
    ASSERT_EQ(response.topics.size(), 1U) << version;
    ASSERT_EQ(response.topics[0].partitions.size(), 2U);
    EXPECT_EQ(response.topics[0].partitions[1].partition_index, 1);
    EXPECT_EQ(response.topics[0].partitions[1].leader_id, 1);
    EXPECT_EQ(response.topics[0].partitions[1].isr_nodes.size(), 1U);
  }
}

TEST_F(HandlersTest, AllTopicsOrNoneByVersion) {
  CreateTopic("a");
  CreateTopic("b");
  EXPECT_EQ(Describe({}, 0).topics.size(), 2U);
  EXPECT_EQ(Describe({}, 1).topics.size(), 0U);
  EXPECT_EQ(DescribeAll(1).topics.size(), 2U);
}

TEST_F(HandlersTest, UnknownAndInvalidNamesAreToldApartAndNeitherIsCreated) {
  const auto response = Describe({{.name = "none"}, {.name = "no/ne"}, {.name = ""}});
  EXPECT_EQ(response.topics[0].error_code, reply_code::kUnknownTopic);
  EXPECT_EQ(response.topics[1].error_code, reply_code::kInvalidTopic);
  EXPECT_EQ(response.topics[2].error_code, reply_code::kInvalidTopic);
  EXPECT_TRUE(log_->image()->topics().empty());
}

TEST_F(HandlersTest, ATopicIsFoundByItsIdFromVersionTwelveOn) {
  CreateTopic("a");
  const kafka::Uuid id = Describe({{.name = "a"}}, 12).topics[0].topic_id;
  EXPECT_NE(id, kafka::Uuid());
  const auto response = Describe({{.topic_id = id, .name = std::nullopt}}, 12);
  EXPECT_EQ(*response.topics[0].name, "a");
  kafka::Uuid other = id;
  other.bytes[0] ^= std::byte{1};
  EXPECT_EQ(Describe({{.topic_id = other, .name = std::nullopt}}, 12).topics[0].error_code,
            reply_code::kUnknownTopicId);
}

TEST_F(HandlersTest, AnIdHasNoMeaningBeforeV12) {
  CreateTopic("a");
  const kafka::Uuid id = Describe({{.name = "a"}}, 12).topics[0].topic_id;
  for (const std::int16_t version : {10, 11}) {
    const auto response = Describe({{.topic_id = id, .name = std::nullopt}, {.name = "a"}}, version);
    ASSERT_EQ(response.topics.size(), 2U);
    for (const auto& topic : response.topics) EXPECT_EQ(topic.error_code, reply_code::kInvalidRequest);
  }
}

class AutoCreateTest : public HandlersTest {
 protected:
  AutoCreateTest()
      : HandlersTest({.cluster_id = "c", .auto_create_topics = true, .topic_defaults = {.partitions = 4}}) {}
};

TEST_F(AutoCreateTest, ATopicIsThereWhenTheReplyNamesIt) {
  const auto response = Describe({{.name = "fresh"}});
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[0].partitions.size(), 4U);
}

TEST_F(AutoCreateTest, NotWhereTheRequestForbidsItNorForAnInvalidName) {
  asked_ = {{.name = "fresh"}, {.name = "no/ne"}};
  kafka::MetadataRequest request;
  request.topics = kafka::Array<kafka::MetadataRequest::Topic>(asked_);
  request.allow_auto_topic_creation = false;
  const auto response = client_.Call<kafka::MetadataResponse>(request, 9);
  EXPECT_EQ(response.topics[0].error_code, reply_code::kUnknownTopic);
  EXPECT_EQ(Describe({{.name = "no/ne"}}).topics[0].error_code, reply_code::kInvalidTopic);
}

TEST_F(HandlersTest, CreateTopicsTakesDefaultsAnyReplicationAndSettings) {
  EXPECT_EQ(Create({.name = "a", .num_partitions = -1, .replication_factor = -1}), 0);
  EXPECT_EQ(created_.topics[0].num_partitions, 1);
  EXPECT_NE(created_.topics[0].topic_id, kafka::Uuid());
  const kafka::CreateTopicsRequest::Config config{.name = "retention.ms", .value = "60000"};
  EXPECT_EQ(Create({.name = "b", .num_partitions = 3, .replication_factor = 3, .configs = {&config, 1}}), 0);
  EXPECT_EQ(log_->image()->Find("b")->partitions.size(), 3U);
  EXPECT_EQ(log_->image()->Find("b")->options.retention_time, std::chrono::milliseconds(60'000));
}

TEST_F(HandlersTest, CreateTopicsRefusesWithKafkasCodesAndChangesNothing) {
  ASSERT_EQ(Create({.name = "a", .num_partitions = 1, .replication_factor = 1}), 0);
  EXPECT_EQ(Create({.name = "a", .num_partitions = 1, .replication_factor = 1}), reply_code::kTopicExists);
  EXPECT_EQ(Create({.name = "a b", .num_partitions = 1, .replication_factor = 1}), reply_code::kInvalidTopic);
  EXPECT_EQ(Create({.name = "c", .num_partitions = 0, .replication_factor = 1}), reply_code::kInvalidPartitions);
  EXPECT_EQ(Create({.name = "c", .num_partitions = 1, .replication_factor = 0}), reply_code::kInvalidReplicationFactor);
  const kafka::CreateTopicsRequest::Config config{.name = "no.such.setting", .value = "1"};
  EXPECT_EQ(Create({.name = "c", .num_partitions = 1, .replication_factor = 1, .configs = {&config, 1}}),
            reply_code::kInvalidConfig);
  EXPECT_EQ(Create({.name = "c", .num_partitions = 1, .replication_factor = 1}, true), 0);
  EXPECT_EQ(log_->image()->topics().size(), 1U);
}

TEST_F(HandlersTest, TopicsAreDeletedByNameAndByIdAndComeBackWithAnotherId) {
  CreateTopic("a");
  const kafka::Uuid id = Describe({{.name = "a"}}, 12).topics[0].topic_id;
  const kafka::Text name = "a";
  kafka::DeleteTopicsRequest by_name;
  by_name.topic_names = {&name, 1};
  EXPECT_EQ(client_.Call<kafka::DeleteTopicsResponse>(by_name, 4).responses[0].error_code, 0);
  EXPECT_EQ(client_.Call<kafka::DeleteTopicsResponse>(by_name, 4).responses[0].error_code, reply_code::kUnknownTopic);
  CreateTopic("a");
  const kafka::Uuid second = Describe({{.name = "a"}}, 12).topics[0].topic_id;
  EXPECT_NE(second, id);
  kafka::DeleteTopicsRequest::Topic topic{.name = std::nullopt, .topic_id = id};
  kafka::DeleteTopicsRequest by_id;
  by_id.topics = {&topic, 1};
  EXPECT_EQ(client_.Call<kafka::DeleteTopicsResponse>(by_id, 6).responses[0].error_code, reply_code::kUnknownTopicId);
  topic.topic_id = second;
  EXPECT_EQ(client_.Call<kafka::DeleteTopicsResponse>(by_id, 6).responses[0].error_code, 0);
  EXPECT_TRUE(log_->image()->topics().empty());
}

TEST_F(HandlersTest, PartitionsGrowAndNeverShrink) {
  CreateTopic("a", 2);
  kafka::CreatePartitionsRequest::Topic topic{.name = "a", .count = 2};
  kafka::CreatePartitionsRequest request;
  request.topics = {&topic, 1};
  EXPECT_EQ(client_.Call<kafka::CreatePartitionsResponse>(request, 3).results[0].error_code,
            reply_code::kInvalidPartitions);
  topic.count = 5;
  EXPECT_EQ(client_.Call<kafka::CreatePartitionsResponse>(request, 3).results[0].error_code, 0);
  EXPECT_EQ(Describe({{.name = "a"}}).topics[0].partitions.size(), 5U);
}

TEST_F(HandlersTest, ConfigsAreToldInKafkasSpelling) {
  CreateTopic("a");
  kafka::DescribeConfigsRequest::Resource resource{
      .resource_type = 2, .resource_name = "a", .configuration_keys = std::nullopt};
  kafka::DescribeConfigsRequest request;
  request.resources = {&resource, 1};
  const auto response = client_.Call<kafka::DescribeConfigsResponse>(request, 4);
  std::map<std::string, std::string> values;
  for (const auto& config : response.results[0].configs) values[std::string(config.name)] = std::string(*config.value);
  EXPECT_EQ(values["cleanup.policy"], "delete");
  EXPECT_EQ(values["max.message.bytes"], "1048588");
  EXPECT_EQ(values["message.timestamp.after.max.ms"], "3600000");
  EXPECT_TRUE(values.contains("retention.ms"));
  resource.resource_name = "none";
  EXPECT_EQ(client_.Call<kafka::DescribeConfigsResponse>(request, 4).results[0].error_code, reply_code::kUnknownTopic);
}

TEST_F(HandlersTest, ANewTopicMayNameWhatHoldsForEveryTopicAndNoOtherValue) {
  kafka::CreateTopicsRequest::Config config{.name = "compression.type", .value = "producer"};
  kafka::CreateTopicsRequest::Topic topic{.name = "a", .num_partitions = 1, .replication_factor = 1};
  topic.configs = {&config, 1};
  EXPECT_EQ(Create(topic), 0);
  topic.name = "b";
  config.value = "zstd";
  EXPECT_EQ(Create(topic), reply_code::kInvalidConfig);
  EXPECT_EQ(*created_.topics[0].error_message,
            "compression.type is producer for every topic here, not zstd. Batches are kept as producers compressed "
            "them: leave it out, and set the compression of the producers.");
  config = {.name = "min.insync.replicas", .value = "2"};
  EXPECT_EQ(Create(topic), reply_code::kInvalidConfig);
}

TEST_F(HandlersTest, SettingsThatKafkaKnowsAreTakenAsFarAsTheyHold) {
  struct Case {
    const char *name, *value;
    bool taken;
  };
  int number = 0;
  for (const Case& one : {Case{"retention.ms", "60000", true},
                          Case{"retention.ms", "-1", true},
                          Case{"retention.ms", "soon", false},
                          Case{"retention.bytes", "1000000", true},
                          Case{"cleanup.policy", "delete", true},
                          Case{"cleanup.policy", "compact", false},
                          Case{"max.message.bytes", "1048588", true},
                          Case{"max.message.bytes", "2000000", false},
                          Case{"max.message.bytes", "1000", false},
                          Case{"min.insync.replicas", "1", true},
                          Case{"message.timestamp.type", "CreateTime", true},
                          Case{"message.timestamp.type", "LogAppendTime", false},
                          Case{"segment.bytes", "52428800", true},
                          Case{"segment.bytes", "0", false},
                          Case{"segment.bytes", "much", false},
                          Case{"segment.ms", "3600000", true},
                          Case{"flush.messages", "1", true},
                          Case{"min.cleanable.dirty.ratio", "0.5", true},
                          Case{"min.cleanable.dirty.ratio", "1.5", false},
                          Case{"unclean.leader.election.enable", "False", true},
                          Case{"unclean.leader.election.enable", "true", false},
                          Case{"no.such.setting", "1", false}}) {
    SCOPED_TRACE(one.name);
    SCOPED_TRACE(one.value);
    const std::string name = "t" + std::to_string(number++);
    kafka::CreateTopicsRequest::Config config{.name = one.name, .value = one.value};
    kafka::CreateTopicsRequest::Topic topic{.name = name, .num_partitions = 1, .replication_factor = 1};
    topic.configs = {&config, 1};
    EXPECT_EQ(Create(topic), one.taken ? 0 : reply_code::kInvalidConfig);
    // Whoever is refused is told which setting it was.
    if (!one.taken) EXPECT_NE(created_.topics[0].error_message->find(one.name), std::string_view::npos);
  }
}

TEST_F(HandlersTest, TheClusterIsThisNode) {
  const auto response = client_.Call<kafka::DescribeClusterResponse>(kafka::DescribeClusterRequest{}, 1);
  EXPECT_EQ(response.cluster_id, "test-cluster");
  EXPECT_EQ(response.controller_id, 1);
  EXPECT_EQ(response.brokers.size(), 1U);
}

class ListOffsetsTest : public HandlersTest {
 protected:
  ListOffsetsTest() { CreateTopic("t"); }
  void Append(const std::vector<std::string>& values, std::int64_t first_ms,
              Compression compression = Compression::kNone) {
    ASSERT_EQ(ProduceOne(client_, {"t", 0, Batch(values, compression, first_ms)}).first, 0);
  }
};

TEST_F(ListOffsetsTest, MarksOfAnEmptyLogAndOfOneWithRecords) {
  EXPECT_EQ(List(-1).offset, 0);
  EXPECT_EQ(List(-2).offset, 0);
  EXPECT_EQ(List(-3).offset, -1);
  EXPECT_EQ(List(-5).offset, -1);
  Append({"a", "b", "c"}, 1'000);
  EXPECT_EQ(List(-1).offset, 3);
  EXPECT_EQ(List(-1).timestamp, -1);
  EXPECT_EQ(List(-2).offset, 0);
  EXPECT_EQ(List(-3).offset, 2);
  EXPECT_EQ(List(-3).timestamp, 1'002);
  EXPECT_EQ(List(-4).offset, 0);
  ASSERT_TRUE(engine_->Upload());
  EXPECT_EQ(List(-5).offset, 2);
}

TEST_F(ListOffsetsTest, ATimeIsLookedUpByRecordAlsoInsideACompressedBatch) {
  Append({"a", "b", "c"}, 1'000, Compression::kLz4);
  Append({"d", "e"}, 2'000, Compression::kZstd);
  for (const auto& [time, offset, found] : std::vector<std::array<std::int64_t, 3>>{{0, 0, 1'000},
                                                                                    {1'000, 0, 1'000},
                                                                                    {1'001, 1, 1'001},
                                                                                    {1'002, 2, 1'002},
                                                                                    {1'003, 3, 2'000},
                                                                                    {2'001, 4, 2'001}}) {
    EXPECT_EQ(List(time).offset, offset) << time;
    EXPECT_EQ(List(time).timestamp, found) << time;
  }
  const auto none = List(2'002);
  EXPECT_EQ(none.error_code, 0);
  EXPECT_EQ(none.offset, -1);
  EXPECT_EQ(none.timestamp, -1);
}

TEST_F(ListOffsetsTest, ANegativeTimeMeansSomethingFromItsVersionOn) {
  EXPECT_EQ(List(-3, 6).error_code, reply_code::kUnsupportedVersion);
  EXPECT_EQ(List(-4, 7).error_code, reply_code::kUnsupportedVersion);
  EXPECT_EQ(List(-5, 8).error_code, reply_code::kUnsupportedVersion);
  EXPECT_EQ(List(-6, 10).error_code, reply_code::kUnsupportedVersion);
  EXPECT_EQ(List(-1, 1).error_code, 0);
  EXPECT_EQ(List(-1, 10, "none").error_code, reply_code::kUnknownTopic);
}

TEST_F(ListOffsetsTest, EpochsAreTheSameWhereverTheyAreShown) {
  Append({"a"}, 1'000);
  const std::int32_t epoch = Describe({{.name = "t"}}).topics[0].partitions[0].leader_epoch;
  EXPECT_GE(epoch, 0);
  EXPECT_EQ(List(-1).leader_epoch, epoch);
  EXPECT_EQ(List(-2).leader_epoch, epoch);
  const auto fetched = client_.Call<kafka::FetchResponse>(Fetch({{"t", 0, 0}}, {}), 11);
  EXPECT_EQ(GetBe<std::int32_t>(At(fetched, 0).records->view.data() + 12), epoch);
  const kafka::OffsetForLeaderEpochRequest::Partition partition{.leader_epoch = epoch};
  const kafka::OffsetForLeaderEpochRequest::Topic topic{.topic = "t", .partitions = {&partition, 1}};
  kafka::OffsetForLeaderEpochRequest request;
  request.topics = {&topic, 1};
  const auto response = client_.Call<kafka::OffsetForLeaderEpochResponse>(request, 4);
  EXPECT_EQ(response.topics[0].partitions[0].leader_epoch, epoch);
  EXPECT_EQ(response.topics[0].partitions[0].end_offset, 1);
}

/// Over a log whose epoch has risen to 1 at offset 3: its first life left no word of a clean close.
class RaisedEpochTest : public HandlersTest {
 protected:
  RaisedEpochTest()
      : HandlersTest({.cluster_id = "c"}, [](EngineOptions& options) {
          options.metadata_store = "sqlite:";
          const auto engine = *Engine::Open(options);
          EXPECT_TRUE(engine->CreateTopic("t"));
          const Record records[] = {{.timestamp_ms = 1'000, .value = "a"},
                                    {.timestamp_ms = 1'001, .value = "b"},
                                    {.timestamp_ms = 1'002, .value = "c"}};
          EXPECT_TRUE(engine->Append({"t", PartitionId(0)}, records));
          EXPECT_TRUE(engine->Close());
          std::size_t removed = 0;
          for (const auto& entry : std::filesystem::recursive_directory_iterator(options.data_dir))
            if (entry.path().filename() == "closed") removed += std::filesystem::remove(entry.path()) ? 1 : 0;
          EXPECT_EQ(removed, 1U);
        }) {}

  std::pair<std::int32_t, std::int64_t> EndOf(std::int32_t epoch, std::int32_t current = -1) {
    const kafka::OffsetForLeaderEpochRequest::Partition partition{.current_leader_epoch = current,
                                                                  .leader_epoch = epoch};
    const kafka::OffsetForLeaderEpochRequest::Topic topic{.topic = "t", .partitions = {&partition, 1}};
    kafka::OffsetForLeaderEpochRequest request;
    request.topics = {&topic, 1};
    const auto response = client_.Call<kafka::OffsetForLeaderEpochResponse>(request, 4);
    const auto& answer = response.topics[0].partitions[0];
    if (answer.error_code != 0) return {answer.error_code, -99};
    return {answer.leader_epoch, answer.end_offset};
  }
  std::int16_t FetchUnder(std::int32_t current) {
    return At(client_.Call<kafka::FetchResponse>(Fetch({{"t", 0, 0, 1 << 20, current}}, {}), 11), 0).error_code;
  }
  std::int16_t ListUnder(std::int32_t current) {
    const kafka::ListOffsetsRequest::Partition partition{.current_leader_epoch = current, .timestamp = -1};
    const kafka::ListOffsetsRequest::Topic one{.name = "t", .partitions = {&partition, 1}};
    kafka::ListOffsetsRequest request;
    request.topics = {&one, 1};
    return client_.Call<kafka::ListOffsetsResponse>(request, 10).topics[0].partitions[0].error_code;
  }
  /// A fetch at `offset` of a client whose last batch was of `epoch`.
  kafka::FetchResponse::EpochEnd DivergenceOf(std::int64_t offset, std::int32_t epoch) {
    kafka::FetchRequest::Partition partition{.fetch_offset = offset, .last_fetched_epoch = epoch};
    partition.partition_max_bytes = 1 << 20;
    const kafka::FetchRequest::Topic topic{.topic = "t", .partitions = {&partition, 1}};
    kafka::FetchRequest request;
    request.max_bytes = 1 << 20;
    request.topics = {&topic, 1};
    const auto response = client_.Call<kafka::FetchResponse>(request, 12);
    EXPECT_EQ(At(response, 0).error_code, 0);
    EXPECT_EQ(At(response, 0).high_watermark, 5);
    return At(response, 0).diverging_epoch;
  }
};

TEST_F(RaisedEpochTest, EveryAnswerKnowsWhichRecordIsOfWhichEpoch) {
  ASSERT_EQ(ProduceOne(client_, {"t", 0, Batch({"d", "e"}, Compression::kNone, 2'000)}).second, 3);
  EXPECT_EQ(Describe({{.name = "t"}}).topics[0].partitions[0].leader_epoch, 1);
  const auto fetched = client_.Call<kafka::FetchResponse>(Fetch({{"t", 0, 0}}, {}), 11);
  const kafka::Bytes records = At(fetched, 0).records->view;
  ASSERT_EQ(Bases(At(fetched, 0)), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(GetBe<std::int32_t>(records.data() + 12), 0);
  const auto second = records.subspan(12 + static_cast<std::size_t>(GetBe<std::int32_t>(records.data() + 8)));
  EXPECT_EQ(GetBe<std::int32_t>(second.data() + 12), 1);
  EXPECT_EQ(List(-1).leader_epoch, 1);
  EXPECT_EQ(List(-2).leader_epoch, 0);
  EXPECT_EQ(List(1'002).leader_epoch, 0);
  EXPECT_EQ(List(2'000).leader_epoch, 1);
  EXPECT_EQ(EndOf(0), std::pair(std::int32_t{0}, std::int64_t{3}));
  EXPECT_EQ(EndOf(1), std::pair(std::int32_t{1}, std::int64_t{5}));
  EXPECT_EQ(EndOf(2), std::pair(std::int32_t{-1}, std::int64_t{-1}));
}

TEST_F(RaisedEpochTest, AnEpochOfBeforeIsFencedAndOneOfLaterIsUnknown) {
  for (const auto& [current, code] : {std::pair<std::int32_t, std::int16_t>{-1, 0},
                                      {0, reply_code::kFencedLeaderEpoch},
                                      {1, 0},
                                      {2, reply_code::kUnknownLeaderEpoch}}) {
    EXPECT_EQ(FetchUnder(current), code) << current;
    EXPECT_EQ(ListUnder(current), code) << current;
    EXPECT_EQ(EndOf(0, current).first, code == 0 ? 0 : code) << current;
  }
}

TEST_F(RaisedEpochTest, FromV16OnAFencedFetchIsToldWhoLeadsAndUnderWhichEpoch) {
  const kafka::Uuid id = Describe({{.name = "t"}}, 12).topics[0].topic_id;
  for (const std::int16_t version : {15, 16}) {
    kafka::FetchRequest::Partition partition{.current_leader_epoch = 0};
    partition.partition_max_bytes = 1 << 20;
    const kafka::FetchRequest::Topic topic{.topic_id = id, .partitions = {&partition, 1}};
    kafka::FetchRequest request;
    request.topics = {&topic, 1};
    const auto response = client_.Call<kafka::FetchResponse>(request, version);
    EXPECT_EQ(At(response, 0).error_code, reply_code::kFencedLeaderEpoch);
    EXPECT_EQ(At(response, 0).current_leader.leader_epoch, version < 16 ? -1 : 1);
    EXPECT_EQ(response.node_endpoints.size(), version < 16 ? 0U : 1U);
    if (version >= 16) EXPECT_EQ(response.node_endpoints[0].node_id, At(response, 0).current_leader.leader_id);
  }
}

TEST_F(RaisedEpochTest, WhatIsBelowTheLogsStartIsOutOfRangeWhateverItsEpoch) {
  ASSERT_TRUE(engine_->DeleteRecords({"t", PartitionId(0)}, Offset(2)));
  kafka::FetchRequest::Partition partition{.fetch_offset = 1, .last_fetched_epoch = 0};
  partition.partition_max_bytes = 1 << 20;
  const kafka::FetchRequest::Topic topic{.topic = "t", .partitions = {&partition, 1}};
  kafka::FetchRequest request;
  request.topics = {&topic, 1};
  const auto response = client_.Call<kafka::FetchResponse>(request, 12);
  EXPECT_EQ(At(response, 0).error_code, reply_code::kOffsetOutOfRange);
  EXPECT_EQ(At(response, 0).log_start_offset, 2);
}

TEST_F(RaisedEpochTest, AFetchBehindTheEndOfItsEpochIsToldWhereThatIs) {
  using EpochEnd = kafka::FetchResponse::EpochEnd;
  ASSERT_EQ(ProduceOne(client_, {"t", 0, Batch({"d", "e"})}).second, 3);
  EXPECT_EQ(DivergenceOf(3, 0), EpochEnd());
  EXPECT_EQ(DivergenceOf(4, 0), (EpochEnd{.epoch = 0, .end_offset = 3})) << "what it read there was lost";
  EXPECT_EQ(DivergenceOf(4, 1), EpochEnd());
}

}  // namespace
}  // namespace millrace
