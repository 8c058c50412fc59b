// Goal: whatever a server answers, a RemoteLog gives a typed result: it reads what is right, tries again what may
// succeed later, and refuses the rest without trusting a length. Method: a broker on a socket that answers as each test
// says.
#include "client/remote_log.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <stop_token>
#include <thread>

#include "base/coding.h"
#include "client/fake_broker.h"
#include "kafka/error_codes.h"
#include "kafka/messages/all_messages.h"
#include "kafka/messages/api_keys.h"
#include "millrace/request_scope.h"
#include "record/record_batch_builder.h"

namespace millrace {
namespace {

using client::FakeBroker;
using Reply = FakeBroker::Reply;
using Request = FakeBroker::Request;

constexpr std::int16_t Key(kafka::ApiKey key) { return static_cast<std::int16_t>(key); }
constexpr std::int16_t kFetchKey = Key(kafka::ApiKey::kFetch), kVersionsKey = Key(kafka::ApiKey::kApiVersions),
                       kMetadataKey = Key(kafka::ApiKey::kMetadata), kOffsetsKey = Key(kafka::ApiKey::kListOffsets),
                       kConfigsKey = Key(kafka::ApiKey::kDescribeConfigs);
const TopicPartition kFirst{"t", PartitionId(0)};

client::ClusterOptions Impatient(const FakeBroker& broker) {
  return {.address = broker.address(),
          .connect_timeout = std::chrono::seconds(20),
          .answer_timeout = std::chrono::seconds(20),
          .retry_for = std::chrono::milliseconds(300),
          .pause_first = std::chrono::milliseconds(1),
          .pause_most = std::chrono::milliseconds(20)};
}

std::unique_ptr<RemoteLog> Opened(const FakeBroker& broker,
                                  std::chrono::milliseconds retry_for = std::chrono::seconds(20)) {
  client::ClusterOptions options = Impatient(broker);
  options.retry_for = retry_for;
  auto log = RemoteLog::Open(options);
  EXPECT_TRUE(log) << log.error().ToString();
  return log ? *std::move(log) : nullptr;
}

/// Appends a, b and c to partition 0.
void Fill(RemoteLog& log) {
  const auto topic = log.DescribeTopic("t");
  ASSERT_TRUE(topic) << topic.error().ToString();
  auto appender = log.OpenAppender(*topic, {});
  ASSERT_TRUE(appender) << appender.error().ToString();
  const std::array records{Record{.value = "a"}, Record{.key = "k", .value = "b"}, Record{.value = "c"}};
  std::atomic<bool> told = false;
  (*appender)->Append(kFirst, records, [&](const Result<AppendReceipt>& receipt) {
    EXPECT_TRUE(receipt) << receipt.error().ToString();
    told = true;
    told.notify_all();
  });
  told.wait(false);
}

std::vector<std::string> Values(const ReadResult& read) {
  std::vector<std::string> values;
  for (const RecordView& record : read.records) values.emplace_back(record.value.value_or("null"));
  return values;
}

Reply FetchReply(const Request& request, std::int16_t code, std::int64_t high_watermark, std::int64_t log_start,
                 std::span<const std::byte> records = {}) {
  kafka::FetchResponse::Partition partition;
  partition.error_code = code;
  partition.high_watermark = high_watermark;
  partition.log_start_offset = log_start;
  partition.records = kafka::Records{.view = records};
  kafka::FetchResponse::Topic topic;
  topic.topic = "t";
  topic.partitions = {&partition, 1};
  kafka::FetchResponse response;
  response.responses = {&topic, 1};
  return FakeBroker::Answer(request, response);
}

TEST(RemoteLogTest, ReadsWhatItAppended) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  const auto read = log->Read(kFirst, Offset(0), {});
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(Values(*read), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(read->next, Offset(3));
  EXPECT_EQ(Values(*log->Read(kFirst, Offset(1), {.records_max = 1})), (std::vector<std::string>{"b"}));
  const auto end = log->Read(kFirst, Offset(3), {});
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->records.empty());
  EXPECT_EQ(*log->Bounds(kFirst), (OffsetBounds{Offset(0), Offset(3)}));
  EXPECT_EQ(*log->OffsetForTime(kFirst, INT64_MAX), Offset(3)) << "no record is that late: the end";
}

TEST(RemoteLogTest, TellsWhatTheProtocolTells) {
  FakeBroker broker;
  const auto log = Opened(broker);
  const auto topic = log->DescribeTopic("t");
  ASSERT_TRUE(topic) << topic.error().ToString();
  EXPECT_EQ(topic->detail, TopicDetail::kProtocol);
  EXPECT_EQ(topic->partitions.size(), 2U);
  EXPECT_EQ(topic->options.partitions, 2);
  EXPECT_EQ(topic->durability, Durability::kDisk);
  const std::vector<std::pair<std::string, std::string>> settings{{"retention.ms", "604800000"},
                                                                  {"millrace.durability", "disk"}};
  EXPECT_EQ(topic->settings, settings);
  EXPECT_EQ(log->DescribeTopic("u").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(log->DescribeTopics()->size(), 1U);
  broker.SetDurability("");
  EXPECT_FALSE(log->DescribeTopic("t")->durability) << "another server knows no such setting";
}

TEST(RemoteLogTest, WhereNothingListensIsToldAtOnce) {
  client::ClusterOptions options;
  {
    const FakeBroker broker;
    options.address = broker.address();
  }
  const auto log = RemoteLog::Open(options);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(log.error().message().find("cannot connect to 127.0.0.1:"), std::string_view::npos);
  EXPECT_NE(log.error().hint().find("millrace serve"), std::string_view::npos);
}

TEST(RemoteLogTest, WrongFramesAreTypedErrors) {
  struct Case {
    const char* name;
    std::function<Reply(Reply)> spoil;
    ErrorCode code;
  };
  const std::vector<Case> cases{
      {"huge length", [](Reply) { return Reply{{std::byte{0x7f}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}}}; },
       ErrorCode::kCorruption},
      {"negative length", [](Reply) { return Reply{std::vector(8, std::byte{0xff})}; }, ErrorCode::kCorruption},
      {"wrong correlation id",
       [](Reply reply) {
         reply.bytes[7] ^= std::byte{1};
         return reply;
       },
       ErrorCode::kCorruption},
      {"broken body",
       [](Reply reply) {
         std::memset(reply.bytes.data() + 8, 0x7f, reply.bytes.size() - 8);
         return reply;
       },
       ErrorCode::kCorruption},
      {"truncated",
       [](Reply reply) {
         reply.bytes.resize(reply.bytes.size() / 2);
         reply.closes = true;
         return reply;
       },
       ErrorCode::kUnavailable},
      {"closed", [](Reply) { return Reply{{}, true}; }, ErrorCode::kUnavailable},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    for (const std::int16_t key : {kVersionsKey, kMetadataKey, kFetchKey, kOffsetsKey}) {
      SCOPED_TRACE(key);
      FakeBroker broker;
      broker.On(key, [&](const Request& request) { return one.spoil(broker.AnswerWell(request)); });
      const auto log = RemoteLog::Open(Impatient(broker));
      if (key == kVersionsKey) {
        ASSERT_FALSE(log);
        EXPECT_EQ(log.error().code(), one.code) << log.error().ToString();
        continue;
      }
      ASSERT_TRUE(log) << log.error().ToString();
      const auto read = key == kOffsetsKey ? Result<void>((*log)->Bounds(kFirst).error())
                                           : Result<void>((*log)->Read(kFirst, Offset(0), {}).error());
      EXPECT_EQ(read.error().code(), one.code) << read.error().ToString();
      EXPECT_GE(broker.times(key), 1);
    }
  }
}

TEST(RemoteLogTest, AReplyCutAnywhereIsNeverTaken) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  std::atomic<std::size_t> whole = 0;
  for (std::size_t cut = 0; whole == 0 || cut < whole; ++cut) {
    broker.On(kFetchKey, [&, cut](const Request& request) {
      Reply reply = broker.AnswerWell(request);
      whole = reply.bytes.size();
      // A frame that says it is whole and is not: the body ends early.
      reply.bytes.resize(std::max<std::size_t>(cut, 4));
      PutBe(reply.bytes.data(), static_cast<std::int32_t>(reply.bytes.size() - 4));
      return reply;
    });
    const auto read = log->Read(kFirst, Offset(0), {});
    ASSERT_FALSE(read) << cut;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << read.error().ToString();
  }
}

TEST(RemoteLogTest, ABrokenConnectionIsMadeAgain) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  broker.On(kFetchKey,
            [&](const Request& request) { return request.times < 3 ? Reply{{}, true} : broker.AnswerWell(request); });
  const auto read = log->Read(kFirst, Offset(0), {});
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->records.size(), 3U);
  EXPECT_EQ(broker.times(kFetchKey), 4);
}

TEST(RemoteLogTest, WhatMaySucceedLaterIsTriedAgainAndTheRestIsNot) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  for (const std::int16_t code : {kafka::code::kNotLeaderOrFollower, kafka::code::kLeaderNotAvailable,
                                  kafka::code::kUnknownTopicOrPartition, kafka::code::kKafkaStorageError}) {
    const int before = broker.times(kFetchKey);
    broker.On(kFetchKey, [&, before, code](const Request& request) {
      return request.times < before + 2 ? FetchReply(request, code, -1, -1) : broker.AnswerWell(request);
    });
    const auto read = log->Read(kFirst, Offset(0), {});
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(broker.times(kFetchKey), before + 3);
  }
  for (const std::int16_t code : {kafka::code::kTopicAuthorizationFailed, kafka::code::kCorruptMessage}) {
    const int before = broker.times(kFetchKey);
    broker.On(kFetchKey, [code](const Request& request) { return FetchReply(request, code, -1, -1); });
    EXPECT_FALSE(log->Read(kFirst, Offset(0), {}));
    EXPECT_EQ(broker.times(kFetchKey), before + 1) << code;
  }
}

TEST(RemoteLogTest, TriesEndInTime) {
  FakeBroker broker;
  broker.On(kFetchKey,
            [](const Request& request) { return FetchReply(request, kafka::code::kNotLeaderOrFollower, -1, -1); });
  const auto log = Opened(broker, std::chrono::milliseconds(300));
  const auto read = log->Read(kFirst, Offset(0), {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kUnavailable);
  EXPECT_GT(broker.times(kFetchKey), 1);
}

TEST(RemoteLogTest, OutOfRangeHasTheBoundsWhetherTheServerTellsThemOrNot) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  for (const std::int64_t told : {std::int64_t{3}, std::int64_t{-1}}) {
    broker.On(kFetchKey, [told](const Request& request) {
      return FetchReply(request, kafka::code::kOffsetOutOfRange, told, told < 0 ? -1 : 0);
    });
    const auto read = log->Read(kFirst, Offset(9), {});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kOutOfRange);
    EXPECT_EQ(read.error().bounds(), (OffsetBounds{Offset(0), Offset(3)}));
  }
}

TEST(RemoteLogTest, AnEmptyAnswerBeforeTheEndIsNotTheEnd) {
  FakeBroker broker;
  const auto log = Opened(broker);
  Fill(*log);
  const int before = broker.times(kFetchKey);
  broker.On(kFetchKey, [&](const Request& request) {
    return request.times < before + 2 ? FetchReply(request, 0, 3, 0) : broker.AnswerWell(request);
  });
  EXPECT_EQ(log->Read(kFirst, Offset(0), {})->records.size(), 3U);
}

TEST(RemoteLogTest, AStopEndsAWaitThatNothingElseEnds) {
  FakeBroker broker;
  std::stop_source stop;
  broker.On(kFetchKey, [&](const Request&) {
    stop.request_stop();
    return Reply{};  // never answered
  });
  const RequestScope scope({.stop = stop.get_token()});
  const auto log = Opened(broker);
  const std::array places{ReadRequest{kFirst, Offset(0)}};
  EXPECT_TRUE(log->AwaitMore(places, std::chrono::hours(1)));
  const auto read = log->Read(kFirst, Offset(0), {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kClosed);
}

TEST(RemoteLogTest, AwaitMoreEndsWithARecordAndWithItsTime) {
  FakeBroker broker;
  const auto log = Opened(broker);
  const std::array places{ReadRequest{kFirst, Offset(0)}};
  EXPECT_TRUE(log->AwaitMore(places, std::chrono::milliseconds(20)));
  Fill(*log);
  EXPECT_TRUE(log->AwaitMore(places, std::chrono::hours(1)));
}

TEST(RemoteLogTest, AServerThatTellsNoSettingsIsRead) {
  FakeBroker broker;
  broker.On(kVersionsKey, [&](const Request& request) {
    const std::array served{kafka::ApiVersionsResponse::ApiVersion{kMetadataKey, 0, 12},
                            kafka::ApiVersionsResponse::ApiVersion{kOffsetsKey, 0, 5}};
    kafka::ApiVersionsResponse response;
    response.api_keys = served;
    return FakeBroker::Answer(request, response);
  });
  const auto log = Opened(broker);
  const auto topic = log->DescribeTopic("t");
  ASSERT_TRUE(topic) << topic.error().ToString();
  EXPECT_TRUE(topic->settings.empty());
  EXPECT_EQ(broker.times(kConfigsKey), 0);
  EXPECT_EQ(log->Read(kFirst, Offset(0), {}).error().code(), ErrorCode::kUnsupported);
}

TEST(RemoteLogTest, WordsOfAServerDoNotReachATerminalAsTheyAre) {
  FakeBroker broker;
  broker.On(Key(kafka::ApiKey::kCreateTopics), [](const Request& request) {
    kafka::CreateTopicsResponse::Topic topic;
    topic.name = "u";
    topic.error_code = kafka::code::kInvalidConfig;
    topic.error_message = "no\x1b[31m such\nsetting.";
    kafka::CreateTopicsResponse response;
    response.topics = {&topic, 1};
    return FakeBroker::Answer(request, response);
  });
  const auto log = Opened(broker);
  const auto made = log->CreateTopic("u", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(made.error().message(), "cannot create topic u: no?[31m such?setting (40 INVALID_CONFIG)");
}

TEST(RemoteLogTest, AChangeWhoseAnswerIsLostIsNotMadeTwice) {
  FakeBroker broker;
  broker.On(Key(kafka::ApiKey::kDeleteTopics), [](const Request&) { return Reply{{}, true}; });
  const auto log = Opened(broker);
  const auto removed = log->DeleteTopic("t");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(removed.error().message().find("may have been done"), std::string_view::npos);
  EXPECT_EQ(broker.times(Key(kafka::ApiKey::kDeleteTopics)), 1);
}

}  // namespace
}  // namespace millrace
