// Goal: a LocalLog does what its engine does, and tells all that it knows. Method: an engine in a temporary directory.
#include "client/local_log.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <stop_token>

#include "env/temporary_directory.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

const TopicPartition kFirst{"t", PartitionId(0)};

class LocalLogTest : public testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::Open({.data_dir = directory_.path()});
    ASSERT_TRUE(engine) << engine.error().ToString();
    log_ = std::make_unique<LocalLog>(*std::move(engine), AppendBounds{100, 1000});
    ASSERT_TRUE(log_->CreateTopic("t", {.options = {.durability = Durability::kOs}}));
  }
  Result<AppendReceipt> Append(std::string value) {
    auto appender = log_->OpenAppender(*log_->DescribeTopic("t"), {});
    std::promise<Result<AppendReceipt>> told;
    const std::array records{Record{.value = std::move(value)}};
    (*appender)->Append(kFirst, records, [&](Result<AppendReceipt> answer) { told.set_value(std::move(answer)); });
    return told.get_future().get();
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<LocalLog> log_;
};

TEST_F(LocalLogTest, TopicsAreToldWhole) {
  const auto topic = log_->DescribeTopic("t");
  ASSERT_TRUE(topic) << topic.error().ToString();
  EXPECT_EQ(topic->detail, TopicDetail::kEngine);
  EXPECT_EQ(topic->durability, Durability::kOs);
  EXPECT_EQ(topic->settings.size(), 4U);
  EXPECT_EQ(topic->bounds.record_bytes_max, 100U);
  EXPECT_EQ(log_->DescribeTopic("u").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(log_->AddPartitions(*topic, 2));
  EXPECT_EQ(log_->DescribeTopics()->front().partitions.size(), 3U);
  EXPECT_TRUE(log_->DeleteTopic("t"));
  EXPECT_TRUE(log_->DescribeTopics()->empty());
}

TEST_F(LocalLogTest, WhatIsAppendedIsRead) {
  const auto receipt = Append("a");
  ASSERT_TRUE(receipt) << receipt.error().ToString();
  EXPECT_EQ(receipt->reached, Durability::kOs);
  EXPECT_EQ(*log_->Bounds(kFirst), (OffsetBounds{Offset(0), Offset(1)}));
  const auto read = log_->Read(kFirst, Offset(0), {});
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->records.size(), 1U);
  EXPECT_EQ(*log_->OffsetForTime(kFirst, 0), Offset(0));
  EXPECT_EQ(log_->Read(kFirst, Offset(9), {}).error().code(), ErrorCode::kOutOfRange);
}

TEST_F(LocalLogTest, AWaitEndsWithARecordAndWithTheStop) {
  ASSERT_TRUE(Append("a"));
  const std::array there{ReadRequest{kFirst, Offset(0)}}, end{ReadRequest{kFirst, Offset(1)}};
  EXPECT_TRUE(log_->AwaitMore(there, std::chrono::hours(1)));
  std::stop_source stop;
  const RequestScope scope({.stop = stop.get_token()});
  stop.request_stop();
  EXPECT_TRUE(log_->AwaitMore(end, std::chrono::hours(1)));
}

TEST_F(LocalLogTest, AbandonedAppendsCloseTheLog) {
  auto appender = log_->OpenAppender(*log_->DescribeTopic("t"), {});
  EXPECT_TRUE((*appender)->Abandon());
  EXPECT_EQ(log_->Bounds(kFirst).error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(log_->Close(Closing::kAtOnce)) << "again: no-op";
}

TEST_F(LocalLogTest, ClosingAfterUpkeepLeavesALogThatOpens) {
  ASSERT_TRUE(Append("a"));
  EXPECT_TRUE(log_->Close(Closing::kAfterUpkeep));
  log_.reset();
  auto engine = Engine::Open({.data_dir = directory_.path()});
  ASSERT_TRUE(engine) << engine.error().ToString();
  LocalLog again(**engine);
  EXPECT_EQ(*again.Bounds(kFirst), (OffsetBounds{Offset(0), Offset(1)}));
  EXPECT_EQ(again.engine(), engine->get());
}

}  // namespace
}  // namespace millrace
