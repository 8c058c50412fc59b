// Goal: Produce answers as Kafka does, never before the batch is where it says, and in the order of the requests.
// Method: a connection without a socket over a real log; the test ends the turns.
#include <gtest/gtest.h>

#include <set>

#include "base/crc32c.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/init_producer_id.h"
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

/// Batches of a producer that numbers them.
class IdempotentProduceTest : public ProduceTest {
 protected:
  static std::string Numbered(std::int64_t id, std::int16_t epoch, std::int32_t sequence, int records = 1) {
    std::string batch = Batch(std::vector<std::string>(static_cast<std::size_t>(records), "abc"));
    std::byte* at = reinterpret_cast<std::byte*>(batch.data());
    PutBe<std::int64_t>(at + 43, id);
    PutBe<std::int16_t>(at + 51, epoch);
    PutBe<std::int32_t>(at + 53, sequence);
    PutBe<std::uint32_t>(at + 17, Crc32c(AsBytes(batch).subspan(21)));
    return batch;
  }
  kafka::ProduceResponse::Partition Send(std::string batch, std::int32_t partition = 0) {
    const std::vector<Sent> one{{"t", partition, std::move(batch)}};
    const auto response = client_.Call<kafka::ProduceResponse>(Produce(one, arena_), 9);
    return response.responses[0].partition_responses[0];
  }
  Offset LogEnd() { return engine_->Offsets({"t", PartitionId(0)})->log_end; }

  TestClient& client_ = Connect();
};

TEST_F(IdempotentProduceTest, ABatchThatComesAgainIsAnsweredAsTheFirstTimeAndAppendedOnce) {
  EXPECT_EQ(Send(Numbered(7, 0, 0, 2)).log_append_time_ms, -1);
  EXPECT_EQ(Send(Numbered(7, 0, 2, 3)).base_offset, 2);
  const auto again = Send(Numbered(7, 0, 0, 2));
  EXPECT_EQ(again.error_code, 0);
  EXPECT_EQ(again.base_offset, 0);
  EXPECT_EQ(again.log_append_time_ms, 1'000'001) << "the batch's time, as Kafka tells it";
  EXPECT_EQ(again.log_start_offset, 0);
  EXPECT_EQ(LogEnd(), Offset(5));
  EXPECT_EQ(Send(Numbered(7, 0, 0, 2), 1).base_offset, 0) << "another partition has numbers of its own";
  EXPECT_EQ(engine_->Stats().appends_repeated, 1U);
}

TEST_F(IdempotentProduceTest, WhatDoesNotFollowHasKafkasCodes) {
  ASSERT_EQ(Send(Numbered(7, 1, 0)).error_code, 0);
  EXPECT_EQ(Send(Numbered(7, 1, 2)).error_code, reply_code::kOutOfOrderSequence);
  EXPECT_EQ(Send(Numbered(7, 0, 1)).error_code, reply_code::kInvalidProducerEpoch);
  EXPECT_EQ(Send(Numbered(7, 2, 1)).error_code, reply_code::kOutOfOrderSequence);
  EXPECT_EQ(Send(Numbered(7, 2, 0)).base_offset, 1);
  EXPECT_EQ(Send(Numbered(8, 0, 500)).base_offset, 2) << "of whom nothing is known";
  EXPECT_EQ(LogEnd(), Offset(3));
}

TEST_F(IdempotentProduceTest, APipelinedRepetitionWaitsForTheSyncOfTheFirst) {
  std::vector<std::vector<Sent>> requests{{{"t", 0, Numbered(7, 0, 0)}}, {{"t", 0, Numbered(7, 0, 0)}}};
  for (const auto& sent : requests) ASSERT_TRUE(client_.Ask(Produce(sent, arena_), 9));
  EXPECT_FALSE(client_.HasReply()) << "neither before the turn is committed";
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(First(client_.Answer<kafka::ProduceResponse>(9)), std::pair(reply_code::kNone, std::int64_t{0}));
  EXPECT_EQ(engine_->Offsets({"t", PartitionId(0)})->durable_end, Offset(1));
}

TEST_F(IdempotentProduceTest, ATransactionalBatchIsNoTransactionHere) {
  std::string batch = Numbered(7, 0, 0);
  batch[22] |= 0x10;
  PutBe<std::uint32_t>(reinterpret_cast<std::byte*>(batch.data()) + 17, Crc32c(AsBytes(batch).subspan(21)));
  EXPECT_EQ(Send(batch).error_code, reply_code::kTransactionalIdAuthorizationFailed) << "without a transactional id";
  const std::vector<Sent> one{{"t", 0, batch}};
  auto request = Produce(one, arena_);
  request.transactional_id = "tx";
  EXPECT_EQ(First(client_.Call<kafka::ProduceResponse>(request, 9)).first, reply_code::kInvalidTxnState);
}

TEST_F(IdempotentProduceTest, EveryProducerGetsAnIdThatNobodyElseHas) {
  std::set<std::int64_t> ids;
  for (std::int16_t version = 0; version <= 5; ++version) {
    const auto response = client_.Call<kafka::InitProducerIdResponse>(
        kafka::InitProducerIdRequest{.transactional_id = std::nullopt, .transaction_timeout_ms = 60'000}, version);
    EXPECT_EQ(response.error_code, 0);
    EXPECT_EQ(response.producer_epoch, 0);
    EXPECT_GE(response.producer_id, 0);
    EXPECT_TRUE(ids.insert(response.producer_id).second);
  }
  // As with Kafka: an id that comes without a transactional id is no claim.
  const auto response = client_.Call<kafka::InitProducerIdResponse>(
      kafka::InitProducerIdRequest{.transactional_id = std::nullopt, .producer_id = *ids.begin(), .producer_epoch = 3},
      4);
  EXPECT_EQ(response.producer_epoch, 0);
  EXPECT_TRUE(ids.insert(response.producer_id).second);
  EXPECT_EQ(Send(Numbered(response.producer_id, 0, 0)).error_code, 0);
}

TEST_F(IdempotentProduceTest, NoIdIsGivenForATransactionOrForHalfAProducer) {
  const auto transactional = client_.Call<kafka::InitProducerIdResponse>(
      kafka::InitProducerIdRequest{.transactional_id = "tx", .transaction_timeout_ms = 60'000}, 4);
  EXPECT_EQ(transactional.error_code, reply_code::kInvalidRequest);
  EXPECT_EQ(transactional.producer_id, -1);
  const auto half = client_.Call<kafka::InitProducerIdResponse>(
      kafka::InitProducerIdRequest{.transactional_id = std::nullopt, .producer_id = 5}, 4);
  EXPECT_EQ(half.error_code, reply_code::kInvalidRequest);
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
