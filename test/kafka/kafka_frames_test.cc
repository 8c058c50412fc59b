// Goal: what foreign clients and servers send is read whole, and written again byte for byte. Method: frames that were
// captured between kcat, librdkafka, kafka-python, kafkajs or Kafka's own client on one side and Apache Kafka 4.3.1 on
// the other, named MESSAGE-vVERSION-KIND.CLIENT.bin, without the four bytes of their size.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "base/coding.h"
#include "kafka/api_ranges.h"
#include "kafka/message.h"
#include "kafka/message_fixture.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"

namespace millrace::kafka {
namespace {

std::vector<std::byte> BytesIn(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

/// "create_topics-v7-request" of CreateTopicsRequest and 7.
template <class Message>
std::string StemOf(std::int16_t version) {
  std::string name, words;
  for (const char letter : Message::kName) {
    if (letter >= 'A' && letter <= 'Z' && !words.empty()) words += '_';
    words += static_cast<char>(letter | 0x20);
  }
  const std::size_t kind = words.rfind('_');
  return fmt::format("{}-v{}-{}", words.substr(0, kind), version, words.substr(kind + 1));
}

/// The file of a message and version, or nothing.
template <class Message>
std::vector<std::byte> FrameOf(std::int16_t version) {
  const std::string stem = StemOf<Message>(version) + '.';
  for (const auto& entry : std::filesystem::directory_iterator(MILLRACE_FRAMES)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(stem)) return BytesIn(entry.path());
  }
  return {};
}

/// The frame as we would have sent it, without its size.
template <class Message>
std::vector<std::byte> SentAgain(WireReader& in, std::int16_t version) {
  WireSlices slices;
  if constexpr (Message::kName.ends_with("Request")) {
    const auto header = ReadRequestHeader(in);
    EXPECT_TRUE(header) << header.error().ToString();
    EXPECT_EQ(header->api_key, Message::kApiKey);
    EXPECT_EQ(header->api_version, version);
    const auto message = Decode<Message>(in, version);
    EXPECT_TRUE(message) << message.error().ToString();
    if (message) slices = EncodeRequest(*message, version, header->correlation_id, header->client_id);
  } else {
    WireReader start = in;
    const std::int32_t correlation_id = start.Int32("correlation_id");
    const auto message = DecodeResponse<Message>(in, version, correlation_id);
    EXPECT_TRUE(message) << message.error().ToString();
    if (message) slices = EncodeResponse(*message, version, correlation_id);
  }
  EXPECT_EQ(in.remaining(), 0U);
  EXPECT_EQ(in.unknown_tags(), 0U);
  std::vector<std::byte> frame = Joined(slices);
  if (frame.size() < 4) return {};
  EXPECT_EQ(GetBe<std::int32_t>(frame.data()), static_cast<std::int32_t>(frame.size() - 4));
  return {frame.begin() + 4, frame.end()};
}

TEST(KafkaFramesTest, FramesOfOthersAreReadWholeAndWrittenAgain) {
  std::map<std::int16_t, std::set<std::string>> seen;
  std::size_t frames = 0;
  ForEachMessage([&]<class Message>(const Message&, std::int16_t version) {
    SCOPED_TRACE(StemOf<Message>(version));
    const auto bytes = FrameOf<Message>(version);
    if (bytes.empty()) return;
    ++frames;
    seen[Message::kApiKey].emplace(Message::kName);
    Arena arena;
    WireReader in(bytes, arena);
    EXPECT_EQ(SentAgain<Message>(in, version), bytes);
  });
  EXPECT_EQ(frames, 104U);
  for (const ApiRange& api : ApiRanges()) {
    EXPECT_EQ(seen[api.key].size(), 2U) << api.name << " lacks a frame of its request or its response";
  }
}

TEST(KafkaFramesTest, KcatAsksForItsTopicAndReadsWhatItWrote) {
  Arena arena;
  const auto produced = FrameOf<ProduceRequest>(7);
  WireReader in(produced, arena);
  const auto header = ReadRequestHeader(in);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header->client_id, "rdkafka");
  const auto request = Decode<ProduceRequest>(in, 7);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->acks, -1);
  ASSERT_EQ(request->topic_data.size(), 1U);
  EXPECT_EQ(request->topic_data[0].name, "golden");
  const auto& partition = request->topic_data[0].partition_data[0];
  ASSERT_TRUE(partition.records);
  EXPECT_EQ(partition.records->view[16], std::byte{2});  // the magic of a batch

  const auto fetched = FrameOf<FetchResponse>(11);
  WireReader reply(fetched, arena);
  const auto answer = DecodeResponse<FetchResponse>(reply, 11, GetBe<std::int32_t>(fetched.data()));
  ASSERT_TRUE(answer);
  const auto& read = answer->responses[0].partitions[0];
  EXPECT_EQ(answer->responses[0].topic, "golden");
  EXPECT_EQ(read.error_code, 0);
  EXPECT_GT(read.high_watermark, 0);
}

TEST(KafkaFramesTest, KafkasOwnRangesOfVersionsHoldWhatWeAccept) {
  Arena arena;
  const auto bytes = FrameOf<ApiVersionsResponse>(4);
  WireReader in(bytes, arena);
  const auto answer = DecodeResponse<ApiVersionsResponse>(in, 4, GetBe<std::int32_t>(bytes.data()));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->supported_features.empty());
  std::size_t found = 0;
  for (const auto& api : answer->api_keys) {
    const ApiRange* ours = FindApiRange(api.api_key);
    if (ours == nullptr) continue;
    ++found;
    EXPECT_TRUE((VersionRange{api.min_version, api.max_version}.Contains(ours->accepted))) << ours->name;
  }
  EXPECT_EQ(found, ApiRanges().size());
}

}  // namespace
}  // namespace millrace::kafka
