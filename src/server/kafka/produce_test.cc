// Goal: Produce answers as Kafka does, never before the batch is where it says, and in the order of the requests.
// Method: a connection without a socket over a real log; the test ends the turns.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "kafka/messages/api_versions.h"
#include "server/kafka/broker_fixture.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

class ProduceTest : public BrokerFixture {
 protected:
  ProduceTest() { CreateTopic("t", 3); }

  /// The code that a batch is answered with.
  std::int16_t CodeOf(std::string batch, std::int16_t version = 9) {
    return ProduceOne(Connect(), {"t", 0, std::move(batch)}, version).first;
  }
};

TEST_F(ProduceTest, NoReplyLeavesBeforeTheTurnIsCommitted) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{{"t", 0, Batch({"a", "b"})}};
  ASSERT_TRUE(client.Ask(Produce(sent, arena_), 9));
  EXPECT_FALSE(client.HasReply());
  EXPECT_EQ(First(client.Answer<kafka::ProduceResponse>(9)), std::pair(reply_code::kNone, std::int64_t{0}));
  EXPECT_EQ(engine_->Offsets({"t", PartitionId(0)})->durable_end, Offset(2));
}

TEST_F(ProduceTest, PipelinedRequestsShareACommitAndAreAnsweredInOrder) {
  TestClient& client = Connect();
  std::vector<std::vector<Sent>> requests;
  for (int i = 0; i < 5; ++i) requests.push_back({{"t", 0, Batch({"x"})}});
  const std::uint64_t syncs = engine_->Stats().wal_syncs;
  for (const auto& sent : requests) ASSERT_TRUE(client.Ask(Produce(sent, arena_), 9));
  ASSERT_TRUE(client.Ask(kafka::ApiVersionsRequest{}, 0));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(First(client.Answer<kafka::ProduceResponse>(9)), std::pair(reply_code::kNone, std::int64_t{i}));
  EXPECT_EQ(client.Answer<kafka::ApiVersionsResponse>(0).error_code, 0);
  EXPECT_LE(engine_->Stats().wal_syncs - syncs, 2U);
}

TEST_F(ProduceTest, EachPartitionHasItsOwnAnswerInTheOrderOfTheRequest) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{
      {"t", 2, Batch({"a"})}, {"none", 0, Batch({"a"})}, {"t", 9, Batch({"a"})}, {"t", 0, Batch({"a"})}};
  const auto response = client.Call<kafka::ProduceResponse>(Produce(sent, arena_), 11);
  ASSERT_EQ(response.responses.size(), 4U);
  const std::int16_t codes[] = {0, 3, 3, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(response.responses[i].name, sent[i].topic);
    const auto& partition = response.responses[i].partition_responses[0];
    EXPECT_EQ(partition.index, sent[i].partition);
    EXPECT_EQ(partition.error_code, codes[i]);
    EXPECT_EQ(partition.base_offset, codes[i] == 0 ? 0 : -1);
    EXPECT_EQ(partition.log_append_time_ms, -1);
  }
}

TEST_F(ProduceTest, WithoutAcksThereIsNoReplyAndTheNextRequestIsAnswered) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{{"t", 0, Batch({"a"})}};
  ASSERT_TRUE(client.Ask(Produce(sent, arena_, 0), 9));
  client.EndTurn();
  EXPECT_FALSE(client.HasReply());
  EXPECT_EQ(engine_->Offsets({"t", PartitionId(0)})->log_end, Offset(1));
  ASSERT_TRUE(client.Send(kafka::EncodeRequest(kafka::ApiVersionsRequest{}, 0, 1, "tests")));
  EXPECT_EQ(client.Answer<kafka::ApiVersionsResponse>(0).error_code, 0);
}

TEST_F(ProduceTest, WithoutAcksAnErrorClosesTheConnection) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{{"none", 0, Batch({"a"})}};
  ASSERT_TRUE(client.Ask(Produce(sent, arena_, 0), 9));
  client.EndTurn();
  EXPECT_FALSE(client.HasReply());
  EXPECT_TRUE(client.connection().over());
}

TEST_F(ProduceTest, WhatIsWrongWithABatchHasKafkasCode) {
  EXPECT_EQ(CodeOf(""), reply_code::kInvalidRecord);
  EXPECT_EQ(CodeOf(Batch({"a"}) + Batch({"b"})), reply_code::kInvalidRecord);
  std::string batch = Batch({"abc"});
  batch.back() ^= 1;
  EXPECT_EQ(CodeOf(batch), reply_code::kCorruptMessage);
  batch = Batch({"abc"});
  batch[16] = 1;
  EXPECT_EQ(CodeOf(batch), reply_code::kInvalidRecord);
  batch[16] = 3;
  EXPECT_EQ(CodeOf(batch), reply_code::kCorruptMessage);
  batch = Batch({"abc"});
  batch[7] = 1;
  EXPECT_EQ(CodeOf(batch), reply_code::kInvalidRecord) << "base offset";
  EXPECT_EQ(CodeOf(Batch({std::string(600'000, 'x'), std::string(600'000, 'y')})), reply_code::kMessageTooLarge);
  EXPECT_EQ(CodeOf(Batch({"abc"}, Compression::kZstd), 6), reply_code::kUnsupportedCompression);
  EXPECT_EQ(CodeOf(Batch({"abc"}, Compression::kZstd), 7), reply_code::kNone);
  EXPECT_EQ(engine_->Offsets({"t", PartitionId(0)})->log_end, Offset(1)) << "what was refused left something behind";
}

TEST_F(ProduceTest, OtherAcksThanThreeAreRefused) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{{"t", 0, Batch({"a"})}};
  EXPECT_EQ(First(client.Call<kafka::ProduceResponse>(Produce(sent, arena_, 2), 9)).first,
            reply_code::kInvalidRequiredAcks);
}

TEST_F(ProduceTest, AnIdempotentBatchIsRefusedUntilRepeatsAreNoticed) {
  std::string batch = Batch({"abc"});
  PutBe<std::int64_t>(reinterpret_cast<std::byte*>(batch.data()) + 43, 7);
  PutBe<std::int16_t>(reinterpret_cast<std::byte*>(batch.data()) + 51, 0);
  PutBe<std::int32_t>(reinterpret_cast<std::byte*>(batch.data()) + 53, 0);
  PutBe<std::uint32_t>(reinterpret_cast<std::byte*>(batch.data()) + 17, Crc32c(AsBytes(batch).subspan(21)));
  EXPECT_EQ(CodeOf(batch), reply_code::kUnsupportedForMessageFormat);
}

TEST_F(ProduceTest, AClientThatLeavesTakesNothingWithIt) {
  TestClient& client = Connect();
  const std::vector<Sent> sent{{"t", 0, Batch({"a"})}};
  ASSERT_TRUE(client.Ask(Produce(sent, arena_), 9));
  client.connection().Abandon();
  broker_->Commit();
  loop_.RunPosted();
  EXPECT_EQ(engine_->Offsets({"t", PartitionId(0)})->durable_end, Offset(1));
}

}  // namespace
}  // namespace millrace
