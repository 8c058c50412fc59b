// Goal: appends over the wire keep their order, are tried again only where nothing can be stored twice, and say so
// where that is not known. Method: a broker on a socket that refuses, breaks off or stays silent as each test says.
#include "client/remote_appender.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/fake_broker.h"
#include "client/remote_log.h"
#include "kafka/error_codes.h"
#include "kafka/messages/all_messages.h"
#include "kafka/messages/api_keys.h"
#include "record/record_batch_view.h"

namespace millrace::client {
namespace {

using Reply = FakeBroker::Reply;
using Request = FakeBroker::Request;

constexpr auto kProduceKey = static_cast<std::int16_t>(kafka::ApiKey::kProduce);
const TopicPartition kFirst{"t", PartitionId(0)}, kSecond{"t", PartitionId(1)};

/// Appends of one record each, and what they were answered.
class Appends {
 public:
  explicit Appends(FakeBroker& broker, AppendOptions options = {},
                   std::chrono::milliseconds retry_for = std::chrono::seconds(20)) {
    auto log = RemoteLog::Open({.address = broker.address(),
                                .answer_timeout = std::chrono::seconds(20),
                                .retry_for = retry_for,
                                .pause_first = std::chrono::milliseconds(1),
                                .pause_most = std::chrono::milliseconds(20)});
    EXPECT_TRUE(log) << log.error().ToString();
    auto appender = (*log)->OpenAppender(*(*log)->DescribeTopic("t"), options);
    if (!appender) refused = appender.error();
    if (appender) appender_ = *std::move(appender);
  }

  void Send(const TopicPartition& partition, const std::string& value) {
    const std::array records{Record{.value = value}};
    Result<AppendReceipt>* answer = nullptr;
    {
      MutexLock lock(mutex_);
      answers_.emplace_back(Error(ErrorCode::kInternal, "no answer"));
      answer = &answers_.back();
      ++open_;
    }
    appender_->Append(partition, records, [this, answer](Result<AppendReceipt> result) {
      MutexLock lock(mutex_);
      *answer = std::move(result);
      --open_;
      answered_.NotifyAll();
    });
  }
  std::deque<Result<AppendReceipt>> Await() {
    MutexLock lock(mutex_);
    while (open_ > 0) answered_.Wait(mutex_);
    return answers_;
  }
  [[nodiscard]] int open() {
    MutexLock lock(mutex_);
    return open_;
  }
  LogAppender& appender() { return *appender_; }

  std::optional<Error> refused;

 private:
  Mutex mutex_;
  CondVar answered_;
  std::deque<Result<AppendReceipt>> answers_ MR_GUARDED_BY(mutex_);
  int open_ MR_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<LogAppender> appender_;
};

std::vector<std::string> StoredValues(FakeBroker& broker) {
  std::vector<RecordView> records;
  for (const auto& batch : broker.stored()) EXPECT_TRUE(DecodeRecords(SharedBytes::Copy(batch), {}, records));
  std::vector<std::string> values;
  for (const RecordView& record : records) values.emplace_back(*record.value);
  return values;
}

TEST(RemoteAppenderTest, OrderIsThatOfTheCalls) {
  FakeBroker broker;
  Appends appends(broker);
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) appends.Send(kFirst, sent.emplace_back(std::to_string(i)));
  std::int64_t next = 0;
  for (const auto& answer : appends.Await()) {
    ASSERT_TRUE(answer) << answer.error().ToString();
    EXPECT_EQ(answer->base_offset, Offset(next++));
    EXPECT_EQ(answer->reached, Durability::kDisk);
  }
  EXPECT_EQ(StoredValues(broker), sent);
}

TEST(RemoteAppenderTest, WhatWasSurelyNotStoredIsSentAgainInOrder) {
  FakeBroker broker;
  // Each batch is refused the first time it comes, as by a server that has just lost the partition.
  std::set<std::vector<std::byte>> seen;
  broker.On(kProduceKey, [&](const Request& request) {
    kafka::Arena arena;
    const auto body = FakeBroker::Read<kafka::ProduceRequest>(request, arena);
    const auto batch = body.topic_data.front().partition_data.front().records->view;
    const bool first = seen.insert({batch.begin(), batch.end()}).second;
    return first ? FakeBroker::Refuse(request, kafka::code::kNotLeaderOrFollower) : broker.AnswerWell(request);
  });
  Appends appends(broker);
  for (const char* value : {"a", "b", "c"}) appends.Send(kFirst, value);
  for (const auto& answer : appends.Await()) EXPECT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(StoredValues(broker), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(broker.times(kProduceKey), 6);
}

TEST(RemoteAppenderTest, RefusalsThatDoNotEndAreTold) {
  FakeBroker broker;
  broker.On(kProduceKey,
            [](const Request& request) { return FakeBroker::Refuse(request, kafka::code::kNotLeaderOrFollower); });
  Appends appends(broker, {}, std::chrono::milliseconds(200));
  appends.Send(kFirst, "a");
  const auto answers = appends.Await();
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(answers[0].error().message().find("may be stored"), std::string_view::npos);
  EXPECT_GT(broker.times(kProduceKey), 1);
}

TEST(RemoteAppenderTest, AnUnknownOutcomeIsToldAndNothingIsSentBehindIt) {
  for (const std::int16_t code :
       {kafka::code::kRequestTimedOut, kafka::code::kNotEnoughReplicasAfterAppend, kafka::code::kKafkaStorageError,
        kafka::code::kUnknownServerError, std::int16_t{999}}) {
    SCOPED_TRACE(code);
    FakeBroker broker;
    broker.On(kProduceKey, [&](const Request& request) {
      return request.times == 0 ? FakeBroker::Refuse(request, code) : broker.AnswerWell(request);
    });
    Appends appends(broker);
    appends.Send(kFirst, "a");
    (void)appends.Await();
    appends.Send(kFirst, "b");
    appends.Send(kSecond, "c");
    const auto answers = appends.Await();
    ASSERT_FALSE(answers[0]);
    EXPECT_EQ(answers[0].error().code(), ErrorCode::kUnavailable);
    EXPECT_FALSE(answers[0].error().retryable());
    EXPECT_NE(answers[0].error().message().find("may be stored"), std::string_view::npos);
    EXPECT_FALSE(answers[1]) << "it would stand where the first one may be";
    EXPECT_TRUE(answers[2]) << "another partition has an order of its own";
    EXPECT_EQ(broker.times(kProduceKey), 2);
  }
}

TEST(RemoteAppenderTest, AConnectionThatEndsInTheMiddleLeavesTheOutcomeUnknown) {
  for (const bool stores : {false, true}) {
    FakeBroker broker;
    broker.On(kProduceKey, [&](const Request& request) {
      if (stores) (void)broker.AnswerWell(request);
      return Reply{{}, true};
    });
    Appends appends(broker);
    appends.Send(kFirst, "a");
    const auto answers = appends.Await();
    ASSERT_FALSE(answers[0]);
    EXPECT_EQ(answers[0].error().code(), ErrorCode::kUnavailable);
    EXPECT_NE(answers[0].error().message().find("may be stored"), std::string_view::npos);
    EXPECT_EQ(broker.times(kProduceKey), 1) << "it was sent twice";
  }
}

TEST(RemoteAppenderTest, NumberedBatchesWhoseAnswersAreLostAreSentAgainAndStoredOnce) {
  for (const bool stores : {false, true}) {
    SCOPED_TRACE(stores);
    FakeBroker broker;
    broker.NumberBatches();
    std::atomic<int> lost = 0;  // each connection has a thread of its own
    broker.On(kProduceKey, [&](const Request& request) {
      if (request.times % 5 != 2) return broker.AnswerWell(request);
      if (stores) (void)broker.AnswerWell(request);
      ++lost;
      return Reply{{}, true};
    });
    Appends appends(broker);
    std::vector<std::string> sent;
    for (int i = 0; i < 50; ++i) appends.Send(kFirst, sent.emplace_back(std::to_string(i)));
    std::int64_t next = 0;
    for (const auto& answer : appends.Await()) {
      ASSERT_TRUE(answer) << answer.error().ToString();
      EXPECT_EQ(answer->base_offset, Offset(next++));
    }
    EXPECT_EQ(StoredValues(broker), sent);
    EXPECT_GT(lost, 5);
  }
}

TEST(RemoteAppenderTest, NumberedBatchesOfWhichNothingWasSaidAreSentAgain) {
  for (const std::int16_t code :
       {kafka::code::kRequestTimedOut, kafka::code::kNotEnoughReplicasAfterAppend, kafka::code::kKafkaStorageError}) {
    for (const bool stores : {false, true}) {
      SCOPED_TRACE(code);
      FakeBroker broker;
      broker.NumberBatches();
      broker.On(kProduceKey, [&](const Request& request) {
        if (request.times > 0) return broker.AnswerWell(request);
        if (stores) (void)broker.AnswerWell(request);
        return FakeBroker::Refuse(request, code);
      });
      Appends appends(broker);
      for (const char* value : {"a", "b", "c"}) appends.Send(kFirst, value);
      for (const auto& answer : appends.Await()) EXPECT_TRUE(answer) << answer.error().ToString();
      EXPECT_EQ(StoredValues(broker), (std::vector<std::string>{"a", "b", "c"}));
    }
  }
}

TEST(RemoteAppenderTest, WhatIsNumberedAndNeverAnsweredIsToldAsPerhapsStored) {
  FakeBroker broker;
  broker.NumberBatches();
  broker.On(kProduceKey, [&](const Request&) { return Reply{{}, true}; });
  Appends appends(broker, {}, std::chrono::milliseconds(200));
  appends.Send(kFirst, "a");
  const auto answers = appends.Await();
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(answers[0].error().message().find("may be stored"), std::string_view::npos);
  EXPECT_GT(broker.times(kProduceKey), 1);
}

TEST(RemoteAppenderTest, ABatchThatIsRefusedForGoodLeavesNoHoleInTheNumbers) {
  // The second, or the second and the fourth of ten, sent all at once or one by one.
  for (const bool at_once : {false, true}) {
    for (const std::set<std::string>& bad : {std::set<std::string>{"0"}, {"1"}, {"1", "3"}, {"1", "2"}}) {
      FakeBroker broker;
      broker.NumberBatches();
      broker.On(kProduceKey, [&](const Request& request) {
        kafka::Arena arena;
        const auto body = FakeBroker::Read<kafka::ProduceRequest>(request, arena);
        std::vector<RecordView> records;
        EXPECT_TRUE(DecodeRecords(SharedBytes::Copy(body.topic_data.front().partition_data.front().records->view), {},
                                  records));
        return bad.contains(std::string(*records.front().value))
                   ? FakeBroker::Refuse(request, kafka::code::kMessageTooLarge)
                   : broker.AnswerWell(request);
      });
      Appends appends(broker);
      std::vector<std::string> good;
      for (int i = 0; i < 10; ++i) {
        const std::string value = std::to_string(i);
        if (!bad.contains(value)) good.push_back(value);
        appends.Send(kFirst, value);
        if (!at_once) (void)appends.Await();
      }
      const auto answers = appends.Await();
      for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i].has_value(), !bad.contains(std::to_string(i)));
      EXPECT_EQ(StoredValues(broker), good);
    }
  }
}

TEST(RemoteAppenderTest, AServerThatHasLostWhatItAcknowledgedGetsNothingBehindIt) {
  FakeBroker broker;
  broker.NumberBatches();
  broker.On(kProduceKey, [&](const Request& request) {
    return request.times == 1 ? FakeBroker::Refuse(request, kafka::code::kOutOfOrderSequenceNumber)
                              : broker.AnswerWell(request);
  });
  Appends appends(broker);
  for (const char* value : {"a", "b", "c"}) {
    appends.Send(kFirst, value);
    (void)appends.Await();
  }
  const auto answers = appends.Await();
  EXPECT_TRUE(answers[0]);
  ASSERT_FALSE(answers[1]);
  EXPECT_EQ(answers[1].error().code(), ErrorCode::kOutOfSequence);
  EXPECT_FALSE(answers[2]);
  EXPECT_EQ(broker.times(kProduceKey), 2);
}

TEST(RemoteAppenderTest, AConnectionThatWasClosedWhileNothingWasAwaitedLosesNothing) {
  FakeBroker broker;
  broker.On(kProduceKey, [&](const Request& request) {
    Reply reply = broker.AnswerWell(request);
    reply.closes = request.times == 0;
    return reply;
  });
  Appends appends(broker);
  appends.Send(kFirst, "a");
  (void)appends.Await();
  while (broker.ended() == 0) std::this_thread::yield();
  appends.Send(kFirst, "b");
  const auto answers = appends.Await();
  ASSERT_TRUE(answers[1]) << answers[1].error().ToString();
  EXPECT_EQ(StoredValues(broker), (std::vector<std::string>{"a", "b"}));
}

TEST(RemoteAppenderTest, WrongAnswersLeaveTheOutcomeUnknown) {
  const std::vector<std::function<Reply(const Request&, Reply)>> spoil{
      [](const Request&, Reply reply) {
        reply.bytes[7] ^= std::byte{1};  // the correlation id
        return reply;
      },
      [](const Request&, Reply) { return Reply{std::vector(4, std::byte{0x7f})}; },  // a huge length
      [](const Request& request, Reply) {
        return FakeBroker::Answer(request, kafka::ProduceResponse{});  // says nothing of the partition
      }};
  for (const auto& one : spoil) {
    FakeBroker broker;
    broker.On(kProduceKey, [&](const Request& request) { return one(request, broker.AnswerWell(request)); });
    Appends appends(broker);
    appends.Send(kFirst, "a");
    const auto answers = appends.Await();
    ASSERT_FALSE(answers[0]);
    EXPECT_NE(answers[0].error().message().find("may be stored"), std::string_view::npos);
    EXPECT_EQ(broker.stored().size(), 1U);
  }
}

TEST(RemoteAppenderTest, ABatchThatIsRefusedForGoodIsNotSentAgain) {
  FakeBroker broker;
  broker.On(kProduceKey,
            [](const Request& request) { return FakeBroker::Refuse(request, kafka::code::kMessageTooLarge); });
  Appends appends(broker);
  appends.Send(kFirst, "a");
  EXPECT_EQ(appends.Await()[0].error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(broker.times(kProduceKey), 1);
}

TEST(RemoteAppenderTest, DurabilityIsWhatTheTopicGivesAtMost) {
  struct Case {
    const char* topic;
    std::optional<Durability> asked;
    std::optional<Durability> reached;  // none: refused
    int acks;
  };
  constexpr auto kOs = Durability::kOs, kDisk = Durability::kDisk, kObject = Durability::kObject;
  for (const Case& one :
       {Case{"disk", {}, kDisk, -1}, Case{"disk", kOs, kOs, 1}, Case{"disk", kObject, {}, 0}, Case{"os", {}, kOs, 1},
        Case{"os", kDisk, {}, 0}, Case{"object", {}, kObject, -1}, Case{"object", kDisk, kObject, -1},
        Case{"object", kObject, kObject, -1}, Case{"", {}, kDisk, -1}, Case{"", kObject, {}, 0}}) {
    SCOPED_TRACE(one.topic);
    FakeBroker broker;
    broker.SetDurability(one.topic);
    std::atomic<int> acks = 0;
    broker.On(kProduceKey, [&](const Request& request) {
      kafka::Arena arena;
      acks = FakeBroker::Read<kafka::ProduceRequest>(request, arena).acks;
      return broker.AnswerWell(request);
    });
    Appends appends(broker, {.durability = one.asked});
    ASSERT_EQ(appends.refused.has_value(), !one.reached.has_value());
    if (appends.refused) {
      EXPECT_EQ(appends.refused->code(), ErrorCode::kInvalidArgument);
      continue;
    }
    appends.Send(kFirst, "a");
    const auto answers = appends.Await();
    ASSERT_TRUE(answers[0]) << answers[0].error().ToString();
    EXPECT_EQ(answers[0]->reached, *one.reached);
    EXPECT_EQ(acks, one.acks);
  }
}

TEST(RemoteAppenderTest, AbandonTellsWhatIsOpen) {
  FakeBroker broker;
  broker.On(kProduceKey, [](const Request&) { return Reply{}; });  // never answered
  Appends appends(broker);
  for (int i = 0; i < 40; ++i) appends.Send(kFirst, "a");  // more than are in flight at once
  while (broker.times(kProduceKey) == 0) std::this_thread::yield();
  EXPECT_EQ(appends.open(), 40);
  EXPECT_TRUE(appends.appender().Abandon());
  EXPECT_EQ(appends.open(), 0);
  const auto answers = appends.Await();
  EXPECT_EQ(answers.front().error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(answers.front().error().message().find("may be stored"), std::string_view::npos);
  EXPECT_EQ(answers.back().error().message().find("may be stored"), std::string_view::npos);
  appends.Send(kFirst, "late");
  EXPECT_EQ(appends.Await().back().error().code(), ErrorCode::kClosed);
}

}  // namespace
}  // namespace millrace::client
