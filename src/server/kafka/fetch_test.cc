// Goal: Fetch answers with whole batches and real bounds, waits without hanging, and stays within its limits. Method: a
// connection without a socket over a real log; time and turns are the test's.
#include <condition_variable>
#include <mutex>

#include "kafka/messages/api_versions.h"
#include "server/kafka/broker_fixture.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using Offsets = std::vector<std::int64_t>;
using kafka::FetchResponse;

class FetchTest : public BrokerFixture {
 protected:
  FetchTest() : consumer_(Connect()), producer_(Connect()) { CreateTopic("t", 4); }

  void Append(const std::vector<std::string>& values, std::int32_t partition = 0) {
    ASSERT_EQ(ProduceOne(producer_, {"t", partition, Batch(values)}).first, reply_code::kNone);
  }
  FetchResponse Get(const std::vector<Wanted>& wanted, FetchLimits limits = {}, std::int16_t version = 11) {
    return consumer_.Call<FetchResponse>(Fetch(wanted, limits), version);
  }
  /// Asks, and sees that the request waits.
  void Park(const std::vector<Wanted>& wanted, FetchLimits limits) {
    ASSERT_TRUE(consumer_.Ask(Fetch(wanted, limits), 11));
    consumer_.EndTurn();
    loop_.RunPosted();
    ASSERT_FALSE(consumer_.HasReply());
  }

  TestClient& consumer_;
  TestClient& producer_;
};

TEST_F(FetchTest, TheBatchThatContainsTheOffsetComesWhole) {
  Append({"a", "b", "c"});
  Append({"d"});
  for (std::int64_t offset : {0, 1, 2}) EXPECT_EQ(Bases(At(Get({{"t", 0, offset}}), 0)), (Offsets{0, 3})) << offset;
  EXPECT_EQ(Bases(At(Get({{"t", 0, 3}}), 0)), (Offsets{3}));
}

TEST_F(FetchTest, BytesAreThoseThatTheProducerSentButForOffsetAndEpoch) {
  const std::string batch = Batch({"a", "b"}, Compression::kLz4);
  ASSERT_EQ(ProduceOne(producer_, {"t", 0, batch}).first, 0);
  ASSERT_EQ(ProduceOne(producer_, {"t", 0, batch}).first, 0);
  const FetchResponse response = Get({{"t", 0, 2}});
  const std::string_view got = AsText(At(response, 0).records->view);
  ASSERT_EQ(got.size(), batch.size());
  EXPECT_EQ(GetBe<std::int64_t>(AsBytes(got).data()), 2);
  EXPECT_TRUE(got.substr(16) == std::string_view(batch).substr(16));
}

TEST_F(FetchTest, AtTheEndRecordsAreEmptyAndNotNullAndBoundsAreReal) {
  Append({"a", "b"});
  const FetchResponse response = Get({{"t", 0, 2}});
  const auto& partition = At(response, 0);
  EXPECT_EQ(partition.error_code, 0);
  ASSERT_TRUE(partition.records);
  EXPECT_TRUE(partition.records->view.empty());
  EXPECT_EQ(partition.high_watermark, 2);
  EXPECT_EQ(partition.last_stable_offset, 2);
  EXPECT_EQ(partition.log_start_offset, 0);
}

TEST_F(FetchTest, OutOfRangeIsToldWithTheRealBounds) {
  Append({"a", "b", "c"});
  ASSERT_TRUE(engine_->DeleteRecords({"t", PartitionId(0)}, Offset(1)));
  for (std::int64_t offset : {0, 4, -1}) {
    const FetchResponse response = Get({{"t", 0, offset}}, {.wait_ms = 60'000});
    EXPECT_EQ(At(response, 0).error_code, reply_code::kOffsetOutOfRange) << offset;
    EXPECT_EQ(At(response, 0).high_watermark, 3);
    EXPECT_EQ(At(response, 0).log_start_offset, 1);
    ASSERT_TRUE(At(response, 0).records);
  }
}

TEST_F(FetchTest, AWaitEndsWithTheNextAppend) {
  Park({{"t", 0, 0}, {"t", 1, 0}}, {.wait_ms = 60'000});
  Append({"a"}, 1);
  const auto response = consumer_.Answer<FetchResponse>(11);
  EXPECT_EQ(Bases(At(response, 0)), Offsets{});
  EXPECT_EQ(Bases(At(response, 1)), Offsets{0});
  EXPECT_EQ(loop_.timers(), kTimersAtRest) << "a timer outlived its request";
}

TEST_F(FetchTest, AWaitEndsWithItsTime) {
  Park({{"t", 0, 0}}, {.wait_ms = 500});
  loop_.Advance(std::chrono::milliseconds(499));
  EXPECT_FALSE(consumer_.HasReply());
  loop_.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(consumer_.HasReply());
  EXPECT_EQ(Bases(At(consumer_.Answer<FetchResponse>(11), 0)), Offsets{});
}

TEST_F(FetchTest, MinBytesAreCountedOverAllPartitions) {
  const auto one = static_cast<std::int32_t>(Batch({"a"}).size());
  Park({{"t", 0, 0}, {"t", 1, 0}, {"t", 2, 0}}, {.wait_ms = 60'000, .min_bytes = 3 * one});
  for (std::int32_t partition : {0, 1}) {
    Append({"a"}, partition);
    loop_.RunPosted();
    EXPECT_FALSE(consumer_.HasReply()) << partition;
  }
  Append({"a"}, 0);
  const auto response = consumer_.Answer<FetchResponse>(11);
  EXPECT_EQ(Bases(At(response, 0)), (Offsets{0, 1}));
  EXPECT_EQ(Bases(At(response, 1)), Offsets{0});
}

TEST_F(FetchTest, MinBytesAboveWhatLimitsLetInDoNotHangTheFetch) {
  Append({std::string(1'000, 'a')});
  Append({std::string(1'000, 'b')});
  const FetchResponse response = Get({{"t", 0, 0, 1'100}}, {.wait_ms = 60'000, .min_bytes = 1 << 20});
  EXPECT_EQ(Bases(At(response, 0)), Offsets{0});
}

TEST_F(FetchTest, APartitionInErrorCutsTheWaitOfTheOthers) {
  ASSERT_TRUE(consumer_.Ask(Fetch({{"t", 0, 0}, {"none", 0, 0}}, {.wait_ms = 60'000}), 11));
  ASSERT_TRUE(consumer_.HasReply());
  const auto response = consumer_.Answer<FetchResponse>(11);
  EXPECT_EQ(At(response, 0).error_code, 0);
  EXPECT_EQ(At(response, 1).error_code, reply_code::kUnknownTopic);
  ASSERT_TRUE(At(response, 1).records);
}

TEST_F(FetchTest, ATopicThatIsDeletedCutsTheWait) {
  Park({{"t", 0, 0}}, {.wait_ms = 60'000});
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  EXPECT_EQ(At(consumer_.Answer<FetchResponse>(11), 0).error_code, reply_code::kUnknownTopic);
}

TEST_F(FetchTest, AllPartitionsTogetherKeepToMaxBytesButForTheFirstBatch) {
  for (std::int32_t partition : {0, 1, 2, 3}) Append({std::string(1'000, 'x')}, partition);
  const std::vector<Wanted> all{{"t", 0, 0}, {"t", 1, 0}, {"t", 2, 0}, {"t", 3, 0}};
  const FetchResponse two = Get(all, {.max_bytes = 2'200});
  EXPECT_EQ(Bases(At(two, 0)), Offsets{0});
  EXPECT_EQ(Bases(At(two, 1)), Offsets{0});
  EXPECT_EQ(Bases(At(two, 2)), Offsets{});
  EXPECT_EQ(Bases(At(two, 3)), Offsets{});
  const FetchResponse first = Get(all, {.max_bytes = 10});
  EXPECT_EQ(Bases(At(first, 0)), Offsets{0}) << "a batch larger than the limit is never delivered otherwise";
  for (std::size_t i : {1, 2, 3}) EXPECT_EQ(Bases(At(first, i)), Offsets{}) << i;
}

TEST_F(FetchTest, APartitionKeepsToItsOwnLimit) {
  for (int i = 0; i < 3; ++i) Append({std::string(1'000, 'x')});
  EXPECT_EQ(Bases(At(Get({{"t", 0, 0, 2'200}}), 0)), (Offsets{0, 1}));
  EXPECT_EQ(Bases(At(Get({{"t", 0, 0, 1}}), 0)), (Offsets{0}));
}

TEST_F(FetchTest, AParkedFetchHoldsBackWhatStandsBehindIt) {
  Park({{"t", 0, 0}}, {.wait_ms = 60'000});
  ASSERT_TRUE(consumer_.Ask(kafka::ApiVersionsRequest{}, 0));
  consumer_.EndTurn();
  EXPECT_FALSE(consumer_.HasReply());
  Append({"a"});
  EXPECT_EQ(Bases(At(consumer_.Answer<FetchResponse>(11), 0)), Offsets{0});
  EXPECT_EQ(consumer_.Answer<kafka::ApiVersionsResponse>(0).error_code, 0);
}

TEST_F(FetchTest, AStoppingServerAnswersFetchesThatWait) {
  Park({{"t", 0, 0}}, {.wait_ms = 60'000});
  consumer_.connection().Drain();
  EXPECT_TRUE(consumer_.HasReply());
  EXPECT_EQ(Bases(At(consumer_.Answer<FetchResponse>(11), 0)), Offsets{});
  EXPECT_TRUE(consumer_.connection().over());
}

TEST_F(FetchTest, AClientThatLeavesEndsItsWait) {
  Park({{"t", 0, 0}}, {.wait_ms = 60'000});
  consumer_.connection().Abandon();
  EXPECT_EQ(loop_.timers(), kTimersAtRest);
  Append({"a"});
  loop_.RunPosted();
}

TEST_F(FetchTest, EpochsOlderAndNewerAreToldApart) {
  Append({"a"});
  EXPECT_EQ(At(Get({{"t", 0, 0, 1 << 20, 1'000}}), 0).error_code, reply_code::kUnknownLeaderEpoch);
  const auto epoch = log_->Epoch(log_->Find("t", PartitionId(0)));
  ASSERT_TRUE(epoch);
  EXPECT_EQ(At(Get({{"t", 0, 0, 1 << 20, epoch->value()}}), 0).error_code, 0);
  if (epoch->value() > 0) {
    EXPECT_EQ(At(Get({{"t", 0, 0, 1 << 20, epoch->value() - 1}}), 0).error_code, reply_code::kFencedLeaderEpoch);
  }
}

TEST_F(FetchTest, AFollowerIsRefusedWhereverItNamesItselfAndGetsNoSession) {
  kafka::FetchRequest request = Fetch({{"t", 0, 0}}, {});
  request.session_epoch = 0;
  request.replica_id = 2;
  const auto old = consumer_.Call<FetchResponse>(request, 11);
  EXPECT_EQ(At(old, 0).error_code, reply_code::kClusterAuthorizationFailed);
  request.replica_id = -1;
  request.replica_state.replica_id = 2;
  const auto newer = consumer_.Call<FetchResponse>(request, 15);
  EXPECT_EQ(At(newer, 0).error_code, reply_code::kClusterAuthorizationFailed);
  EXPECT_EQ(old.session_id, 0);
  EXPECT_EQ(newer.session_id, 0);
}

TEST_F(FetchTest, ColdBytesComeFromThePoolAndDoNotHoldUpProduce) {
  Append({"a", "b"});
  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  // Both threads of the pool are busy: whatever needs them waits.
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(cold_->TrySubmit([&](const std::stop_token&) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return release; });
    }));
  }
  ASSERT_TRUE(consumer_.Ask(Fetch({{"t", 0, 0}}, {}), 11));
  Append({"c"}, 1);
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  changed.notify_all();
  EXPECT_EQ(Bases(At(consumer_.Answer<FetchResponse>(11), 0)), Offsets{0});
  cold_->Close();  // its threads look at what is of this test
}

TEST_F(FetchTest, ColdBytesAreCountedUntilTheyHaveLeft) {
  Append({std::string(100'000, 'a')});
  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  EXPECT_EQ(Bases(At(Get({{"t", 0, 0}}), 0)), Offsets{0});
  EXPECT_EQ(cold_bytes_.taken(), 0U);
}

TEST_F(FetchTest, AColdPartitionIsReadThoughAnotherIsInError) {
  Append({"a"});
  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  const FetchResponse response = Get({{"none", 0, 0}, {"t", 0, 0}});
  EXPECT_EQ(At(response, 0).error_code, reply_code::kUnknownTopic);
  EXPECT_EQ(Bases(At(response, 1)), Offsets{0});
}

}  // namespace
}  // namespace millrace
