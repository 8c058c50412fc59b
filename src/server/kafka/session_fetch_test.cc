// Goal: a fetch that goes on with a session looks at what has changed, tells what is new, loses no wake between polls,
// and keeps to its epochs; topics that are named by id are never taken for others. Method: connections without sockets
// over a real log; time and turns are the test's.
#include "kafka/messages/metadata.h"
#include "server/kafka/broker_fixture.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::FetchResponse;
using Offsets = std::vector<std::int64_t>;
using Numbers = std::vector<std::int32_t>;

BrokerSettings TwoSessions() { return {.cluster_id = "test-cluster", .port = 9092, .fetch_sessions_max = 2}; }

class SessionFetchTest : public BrokerFixture {
 protected:
  explicit SessionFetchTest(BrokerSettings settings = {.cluster_id = "test-cluster", .port = 9092})
      : BrokerFixture(std::move(settings)), consumer_(Connect()), producer_(Connect()) {
    CreateTopic("t", kPartitions);
  }

  void Append(std::int32_t partition = 0, const std::string& value = "v") {
    ASSERT_EQ(ProduceOne(producer_, {"t", partition, Batch({value})}).first, reply_code::kNone);
  }
  kafka::Uuid IdOf(std::string_view topic) {
    const kafka::MetadataRequest::Topic asked{.name = topic};
    kafka::MetadataRequest request;
    request.topics = kafka::Array<kafka::MetadataRequest::Topic>{&asked, 1};
    request.allow_auto_topic_creation = false;
    return consumer_.Call<kafka::MetadataResponse>(request, 12).topics[0].topic_id;
  }

  /// The partitions of "t" from these offsets on, as one topic; by its id if `by_id_` is set.
  kafka::FetchRequest Of(const std::vector<std::pair<std::int32_t, std::int64_t>>& wanted, FetchLimits limits = {}) {
    kafka::FetchRequest request;
    request.max_wait_ms = limits.wait_ms;
    request.min_bytes = limits.min_bytes;
    request.max_bytes = limits.max_bytes;
    if (wanted.empty()) return request;
    const auto partitions = arena_.New<kafka::FetchRequest::Partition>(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      partitions[i].partition = wanted[i].first;
      partitions[i].fetch_offset = wanted[i].second;
      partitions[i].partition_max_bytes = 1 << 20;
    }
    const auto topics = arena_.New<kafka::FetchRequest::Topic>(1);
    topics[0].topic = "t";
    topics[0].topic_id = id_;
    topics[0].partitions = partitions;
    request.topics = topics;
    return request;
  }
  [[nodiscard]] std::int16_t Version() const { return id_ == kafka::Uuid() ? 12 : 17; }

  FetchResponse Begin(const std::vector<std::pair<std::int32_t, std::int64_t>>& wanted, FetchLimits limits = {}) {
    kafka::FetchRequest request = Of(wanted, limits);
    request.session_epoch = 0;
    FetchResponse response = consumer_.Call<FetchResponse>(request, Version());
    session_ = response.session_id;
    epoch_ = 1;
    return response;
  }
  /// The next request of the session, from `client`.
  void AskNext(TestClient& client, const std::vector<std::pair<std::int32_t, std::int64_t>>& changed = {},
               FetchLimits limits = {}, const Numbers& forgotten = {}) {
    kafka::FetchRequest request = Of(changed, limits);
    request.session_id = session_;
    request.session_epoch = epoch_++;
    const kafka::FetchRequest::ForgottenTopic gone{.topic = "t", .topic_id = id_, .partitions = forgotten};
    if (!forgotten.empty()) request.forgotten_topics_data = {&gone, 1};
    ASSERT_TRUE(client.Ask(request, Version()));
  }
  FetchResponse Next(const std::vector<std::pair<std::int32_t, std::int64_t>>& changed = {}, FetchLimits limits = {},
                     const Numbers& forgotten = {}) {
    AskNext(consumer_, changed, limits, forgotten);
    return consumer_.Answer<FetchResponse>(Version());
  }
  void ParkNext(const std::vector<std::pair<std::int32_t, std::int64_t>>& changed = {}, FetchLimits limits = {60'000}) {
    AskNext(consumer_, changed, limits);
    consumer_.EndTurn();
    loop_.RunPosted();
    ASSERT_FALSE(consumer_.HasReply());
  }
  std::int16_t CodeOf(std::int32_t session, std::int32_t epoch, std::int16_t version) {
    kafka::FetchRequest request = Of({});
    request.session_id = session;
    request.session_epoch = epoch;
    return consumer_.Call<FetchResponse>(request, version).error_code;
  }
  static Numbers Told(const FetchResponse& response) {
    Numbers told;
    for (const auto& topic : response.responses)
      for (const auto& partition : topic.partitions) told.push_back(partition.partition_index);
    return told;
  }
  static const FetchResponse::Partition& One(const FetchResponse& response, std::size_t index = 0) {
    return response.responses[0].partitions[index];
  }
  [[nodiscard]] std::size_t AtRest() const { return broker_->sessions().Find(session_)->at_rest(); }

  static constexpr std::int32_t kPartitions = 100;
  kafka::Uuid id_;
  TestClient& consumer_;
  TestClient& producer_;
  std::int32_t session_ = 0, epoch_ = 0;
};

TEST_F(SessionFetchTest, AFullFetchBeginsASessionWhoseNextOnesTellWhatIsNew) {
  Append(1);
  const FetchResponse full = Begin({{0, 0}, {1, 0}, {2, 0}});
  EXPECT_EQ(full.error_code, 0);
  EXPECT_GT(full.session_id, 0);
  EXPECT_EQ(Told(full), (Numbers{0, 1, 2}));
  const FetchResponse quiet = Next({{1, 1}});
  EXPECT_EQ(quiet.session_id, session_);
  EXPECT_EQ(Told(quiet), Numbers{});
  Append(2);
  Append(0);
  const FetchResponse news = Next();
  EXPECT_EQ(Told(news), (Numbers{0, 2}));
  EXPECT_EQ(Bases(One(news, 1)), Offsets{0});
  EXPECT_EQ(One(news).high_watermark, 1);
}

TEST_F(SessionFetchTest, OnlyWhatChangedIsLookedAt) {
  std::vector<std::pair<std::int32_t, std::int64_t>> all;
  for (std::int32_t i = 0; i < kPartitions; ++i) all.emplace_back(i, 0);
  Begin(all);
  EXPECT_EQ(Told(Next()), Numbers{});
  EXPECT_EQ(AtRest(), static_cast<std::size_t>(kPartitions));
  for (std::int64_t round = 0; round < 3; ++round) {
    Append(7);
    const FetchResponse news = Next(round == 0 ? all : std::vector<std::pair<std::int32_t, std::int64_t>>{{7, round}});
    EXPECT_EQ(Bases(One(news)), Offsets{round});
    EXPECT_EQ(AtRest(), static_cast<std::size_t>(kPartitions) - 1) << round;
  }
}

TEST_F(SessionFetchTest, AWaitEndsWithAnAppendToAPartitionAtRest) {
  Begin({{0, 0}, {1, 0}});
  Next();
  ASSERT_EQ(AtRest(), 2U);
  ParkNext();
  Append(1);
  const auto response = consumer_.Answer<FetchResponse>(Version());
  EXPECT_EQ(Told(response), Numbers{1});
  EXPECT_EQ(Bases(One(response)), Offsets{0});
  EXPECT_EQ(loop_.timers(), kTimersAtRest);
}

TEST_F(SessionFetchTest, WhatWokeBetweenTwoPollsIsThereAtTheNext) {
  Begin({{0, 0}, {1, 0}});
  Next();
  Append(1);
  loop_.RunPosted();
  EXPECT_EQ(Told(Next({}, {.wait_ms = 60'000})), Numbers{1});
  Append(0);
  Append(1);
  EXPECT_EQ(Told(Next({{1, 1}}, {.wait_ms = 60'000})), (Numbers{0, 1}));
}

TEST_F(SessionFetchTest, AWaitOfASessionEndsWithItsTimeAndMinBytes) {
  const auto one = static_cast<std::int32_t>(Batch({"v"}).size());
  Begin({{0, 0}, {1, 0}});
  ParkNext({}, {.wait_ms = 500, .min_bytes = 2 * one});
  Append(0);
  loop_.RunPosted();
  EXPECT_FALSE(consumer_.HasReply());
  loop_.Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(Told(consumer_.Answer<FetchResponse>(Version())), Numbers{0});
  ParkNext({{0, 1}}, {.wait_ms = 60'000, .min_bytes = 2 * one});
  Append(0);
  Append(1);
  EXPECT_EQ(Told(consumer_.Answer<FetchResponse>(Version())), (Numbers{0, 1}));
}

TEST_F(SessionFetchTest, WhatTheClientDoesNotMoveIsGivenAgain) {
  Append(0);
  Begin({{0, 0}});
  EXPECT_EQ(Bases(One(Next())), Offsets{0});
  EXPECT_EQ(Bases(One(Next())), Offsets{0});
  EXPECT_EQ(Told(Next({{0, 1}})), Numbers{});
}

TEST_F(SessionFetchTest, UnderALimitAllGetTheirTurn) {
  for (const std::int32_t partition : {0, 1, 2}) Append(partition, std::string(1'000, 'x'));
  Begin({{0, 1}, {1, 1}, {2, 1}});
  const FetchLimits limits{.max_bytes = 1'500};
  const auto bytes_of = [](const FetchResponse& response) {
    Numbers with;
    for (const auto& partition : response.responses[0].partitions)
      if (!partition.records->view.empty()) with.push_back(partition.partition_index);
    return with;
  };
  EXPECT_EQ(bytes_of(Next({{0, 0}, {1, 0}, {2, 0}}, limits)), Numbers{0});
  EXPECT_EQ(bytes_of(Next({}, limits)), Numbers{1});
  EXPECT_EQ(bytes_of(Next({}, limits)), Numbers{2});
  EXPECT_EQ(bytes_of(Next({}, limits)), Numbers{0});
}

TEST_F(SessionFetchTest, WhatIsForgottenIsNotTold) {
  Begin({{0, 0}, {1, 0}});
  Next();
  Append(0);
  EXPECT_EQ(Told(Next({}, {}, {0})), Numbers{});
  Append(0);
  Append(1);
  EXPECT_EQ(Told(Next()), Numbers{1});
  const FetchResponse last = Next({}, {.wait_ms = 60'000}, {1});
  EXPECT_EQ(last.error_code, 0);
  EXPECT_EQ(last.session_id, 0) << "it follows nothing";
  EXPECT_EQ(broker_->sessions().size(), 0U);
}

TEST_F(SessionFetchTest, AnErrorIsToldEachTimeAndATopicOfItsNameIsFound) {
  Begin({{0, 0}, {200, 0}});
  EXPECT_EQ(Told(Next()), Numbers{200});
  const FetchResponse again = Next({}, {.wait_ms = 60'000});
  EXPECT_EQ(Told(again), Numbers{200});
  EXPECT_EQ(One(again).error_code, reply_code::kUnknownTopic);
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  const FetchResponse gone = Next({}, {}, {200});
  EXPECT_EQ(Told(gone), Numbers{0});
  EXPECT_EQ(One(gone).error_code, reply_code::kUnknownTopic);
  CreateTopic("t", 1);
  Append(0);
  const FetchResponse found = Next();
  EXPECT_EQ(One(found).error_code, 0);
  EXPECT_EQ(Bases(One(found)), Offsets{0});
}

TEST_F(SessionFetchTest, ALogThatBeginsLaterIsToldWithoutRecords) {
  for (int i = 0; i < 3; ++i) Append(0);
  Begin({{0, 3}, {1, 0}});
  Next();
  ASSERT_EQ(AtRest(), 2U);
  ASSERT_TRUE(engine_->DeleteRecords({"t", PartitionId(0)}, Offset(2)));
  const FetchResponse moved = Next();
  EXPECT_EQ(Told(moved), Numbers{0});
  EXPECT_EQ(One(moved).log_start_offset, 2);
  EXPECT_TRUE(One(moved).records->view.empty());
  EXPECT_EQ(Told(Next()), Numbers{});
}

TEST_F(SessionFetchTest, ColdRecordsOfASessionAreRead) {
  Append(0);
  Append(1);
  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  Begin({{0, 1}, {1, 1}});
  Next();
  EXPECT_EQ(Bases(One(Next({{0, 0}}))), Offsets{0});
  EXPECT_EQ(Bases(One(Next({{0, 1}, {1, 0}}, {.wait_ms = 60'000}))), Offsets{0});
}

TEST_F(SessionFetchTest, EpochsAndIdsThatAreWrongAreRefusedAndChangeNothing) {
  Begin({{0, 0}});
  EXPECT_EQ(CodeOf(session_, 2, 12), reply_code::kInvalidFetchSessionEpoch);
  EXPECT_EQ(CodeOf(session_, 1, 17), reply_code::kFetchSessionTopicIdError);
  EXPECT_EQ(CodeOf(session_ ^ 1, 1, 12), reply_code::kFetchSessionIdNotFound);
  EXPECT_EQ(CodeOf(0, 1, 12), reply_code::kFetchSessionIdNotFound);
  EXPECT_EQ(CodeOf(session_, 1, 12), 0);
  EXPECT_EQ(CodeOf(session_, 1, 12), reply_code::kInvalidFetchSessionEpoch);
}

TEST_F(SessionFetchTest, AFullRequestEndsTheSessionThatItNames) {
  Begin({{0, 0}});
  const std::int32_t first = session_;
  kafka::FetchRequest request = Of({{0, 0}});
  request.session_id = first;
  request.session_epoch = 0;
  const auto renewed = consumer_.Call<FetchResponse>(request, 12);
  EXPECT_NE(renewed.session_id, 0);
  EXPECT_NE(renewed.session_id, first);
  EXPECT_EQ(CodeOf(first, 1, 12), reply_code::kFetchSessionIdNotFound);
  request.session_id = renewed.session_id;
  request.session_epoch = -1;
  const auto last = consumer_.Call<FetchResponse>(request, 12);
  EXPECT_EQ(last.session_id, 0);
  EXPECT_EQ(Told(last), Numbers{0});
  EXPECT_EQ(broker_->sessions().size(), 0U);
}

TEST_F(SessionFetchTest, ASessionOutlivesItsConnectionAndGoesOnByAnother) {
  Begin({{0, 0}, {1, 0}});
  ParkNext();
  consumer_.connection().Abandon();
  Append(1);
  loop_.RunPosted();
  TestClient& other = Connect();
  AskNext(other);
  EXPECT_EQ(Told(other.Answer<FetchResponse>(12)), Numbers{1});
}

TEST_F(SessionFetchTest, OfTwoFetchesOfASessionTheOlderIsRefused) {
  Begin({{0, 0}, {1, 0}});
  ParkNext();
  TestClient& other = Connect();
  AskNext(other, {}, {.wait_ms = 60'000}, {0});
  const auto refused = consumer_.Answer<FetchResponse>(12);
  EXPECT_EQ(refused.error_code, reply_code::kInvalidFetchSessionEpoch);
  EXPECT_EQ(refused.session_id, session_);
  EXPECT_FALSE(other.HasReply());
  Append(0);
  Append(1);
  EXPECT_EQ(Told(other.Answer<FetchResponse>(12)), Numbers{1});
  EXPECT_EQ(loop_.timers(), kTimersAtRest);
}

TEST_F(SessionFetchTest, AParkedFetchWhoseSessionEndsIsAnsweredAllTheSame) {
  Begin({{0, 0}});
  ParkNext();
  TestClient& other = Connect();
  kafka::FetchRequest request = Of({{0, 0}});
  request.session_id = session_;
  request.session_epoch = -1;
  EXPECT_EQ(other.Call<FetchResponse>(request, 12).session_id, 0);
  Append(0);
  EXPECT_EQ(Told(consumer_.Answer<FetchResponse>(12)), Numbers{0});
  EXPECT_EQ(session_bytes_.taken(), 0U);
}

TEST_F(SessionFetchTest, AStoppingServerAnswersASessionThatWaits) {
  Begin({{0, 0}});
  ParkNext();
  consumer_.connection().Drain();
  EXPECT_EQ(consumer_.Answer<FetchResponse>(12).session_id, session_);
  EXPECT_TRUE(consumer_.connection().over());
}

TEST_F(SessionFetchTest, WithoutRoomForASessionTheClientDoesWithout) {
  ASSERT_TRUE(session_bytes_.TryTake(session_bytes_.bytes_max()));
  Append(0);
  const FetchResponse full = Begin({{0, 0}});
  EXPECT_EQ(full.session_id, 0);
  EXPECT_EQ(Bases(One(full)), Offsets{0});
  session_bytes_.Give(session_bytes_.bytes_max());
}

class FewSessionsTest : public SessionFetchTest {
 protected:
  FewSessionsTest() : SessionFetchTest(TwoSessions()) {}
};

TEST_F(FewSessionsTest, TheOldestGoesOnceItWasNotUsedForTwoMinutes) {
  Begin({{0, 0}});
  const std::int32_t first = session_;
  loop_.Advance(std::chrono::seconds(1));
  Begin({{0, 0}});
  EXPECT_EQ(Begin({{0, 0}}).session_id, 0) << "both are young";
  loop_.Advance(std::chrono::seconds(120));
  EXPECT_NE(Begin({{0, 0}}).session_id, 0);
  EXPECT_EQ(CodeOf(first, 1, 12), reply_code::kFetchSessionIdNotFound);
  EXPECT_EQ(broker_->sessions().size(), 2U);
}

class FetchByIdTest : public SessionFetchTest {
 protected:
  FetchByIdTest() { id_ = IdOf("t"); }
};

TEST_F(FetchByIdTest, IdsAreAnsweredAsTheyWereAsked) {
  Append(0);
  const FetchResponse full = Begin({{0, 0}});
  EXPECT_EQ(full.responses[0].topic_id, id_);
  EXPECT_EQ(Bases(One(full)), Offsets{0});
  Append(0);
  const FetchResponse next = Next({{0, 1}});
  EXPECT_EQ(next.responses[0].topic_id, id_);
  EXPECT_EQ(Bases(One(next)), Offsets{1});
  EXPECT_EQ(CodeOf(session_, epoch_, 12), reply_code::kFetchSessionTopicIdError);
}

TEST_F(FetchByIdTest, AnUnknownIdIsToldApartFromAnUnknownPartition) {
  EXPECT_EQ(One(Begin({{200, 0}})).error_code, reply_code::kUnknownTopic);
  id_.bytes[3] ^= std::byte{1};
  const FetchResponse unknown = Begin({{0, 0}});
  EXPECT_EQ(One(unknown).error_code, reply_code::kUnknownTopicId);
  EXPECT_EQ(unknown.responses[0].topic_id, id_);
  EXPECT_EQ(One(Next()).error_code, reply_code::kUnknownTopicId);
  id_ = kafka::Uuid();
  kafka::FetchRequest none = Of({{0, 0}});
  EXPECT_EQ(One(consumer_.Call<FetchResponse>(none, 13)).error_code, reply_code::kUnknownTopicId);
}

TEST_F(FetchByIdTest, ATopicThatIsMadeAgainHasAnotherIdAndNoneOfTheOldRecords) {
  Append(0);
  Append(0);
  Begin({{0, 2}});
  ParkNext();
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  const auto gone = consumer_.Answer<FetchResponse>(17);
  EXPECT_EQ(One(gone).error_code, reply_code::kUnknownTopicId);
  CreateTopic("t", 1);
  EXPECT_EQ(One(Next()).error_code, reply_code::kUnknownTopicId) << "it is another topic";
  const kafka::Uuid old = std::exchange(id_, IdOf("t"));
  EXPECT_NE(id_, old);
  EXPECT_EQ(One(Begin({{0, 2}})).error_code, reply_code::kOffsetOutOfRange);
  Append(0, "new");
  const FetchResponse fresh = Begin({{0, 0}});
  EXPECT_EQ(Bases(One(fresh)), Offsets{0});
  EXPECT_NE(AsText(One(fresh).records->view).find("new"), std::string_view::npos);
}

}  // namespace
}  // namespace millrace
