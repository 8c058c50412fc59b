// What the tests of connections and handlers share: a real log in a temporary directory, a loop that the test turns by
// hand, and a client that speaks frames.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "engine/group_access.h"
#include "engine/partition_access.h"
#include "env/system_random.h"
#include "env/temporary_directory.h"
#include "env/thread_pool.h"
#include "kafka/message.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/produce.h"
#include "millrace/engine.h"
#include "record/record_batch_builder.h"
#include "server/fake_turn_loop.h"
#include "server/kafka/broker.h"
#include "server/kafka/dispatch.h"
#include "server/kafka/kafka_connection.h"

namespace millrace {

/// One client's end: requests in, whole reply frames out.
class TestClient {
 public:
  TestClient(FakeTurnLoop& loop, Broker& broker, FramePool& pool, ByteBudget& budget)
      : loop_(loop),
        broker_(broker),
        connection_(std::make_shared<KafkaConnection>(
            loop, pool, budget, ConnectionLimits{.request_bytes_max = 8 << 20, .bytes_max = 4 << 20},
            [&broker](const RequestRef& request) { HandleRequest(broker, request); }, "test")) {}
  ~TestClient() { connection_->Abandon(); }

  KafkaConnection& connection() { return *connection_; }

  /// In pieces as large as the connection gives room for. False: it takes no more.
  bool Send(const kafka::WireSlices& slices) {
    std::string bytes;
    for (const SharedBytes& slice : slices) bytes.append(AsText(slice));
    return SendBytes(bytes);
  }
  bool SendBytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<std::byte> room = connection_->Room();
      if (room.empty()) return false;
      const std::size_t count = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), count);
      connection_->Received(count);
      bytes.remove_prefix(count);
    }
    return true;
  }
  template <class Request>
  bool Ask(const Request& request, std::int16_t version) {
    return Send(kafka::EncodeRequest(request, version, ++asked_, "tests"));
  }

  /// The end of a turn: commits, and takes what would be written.
  void EndTurn() {
    broker_.Commit();
    Take();
  }
  /// Turns until a reply is there, waiting for other threads if need be; none after ten seconds.
  std::optional<std::string> NextFrame() {
    EndTurn();
    while (WholeFrame() == 0 && !connection_->over()) {
      if (!loop_.RunNext()) return std::nullopt;
      EndTurn();
    }
    const std::size_t size = WholeFrame();
    if (size == 0) return std::nullopt;
    std::string frame = in_.substr(4, size - 4);
    in_.erase(0, size);
    ++answered_;
    return frame;
  }
  /// A reply is there without waiting for anything.
  [[nodiscard]] bool HasReply() {
    Take();
    return WholeFrame() != 0;
  }
  /// The answer to the next request that has none yet.
  template <class Response>
  Response Answer(std::int16_t version) {
    const auto frame = NextFrame();
    EXPECT_TRUE(frame) << "no reply";
    if (!frame) return {};
    frames_.push_back(std::make_unique<std::string>(*frame));
    kafka::WireReader in(AsBytes(*frames_.back()), arena_);
    auto response = kafka::DecodeResponse<Response>(in, version, answered_);
    EXPECT_TRUE(response) << response.error().ToString();
    return response ? *response : Response{};
  }
  template <class Response, class Request>
  Response Call(const Request& request, std::int16_t version) {
    EXPECT_TRUE(Ask(request, version));
    return Answer<Response>(version);
  }

 private:
  void Take() {
    OutboundBytes& out = connection_->outbound();
    std::array<iovec, 64> slices;
    while (!out.empty()) {
      std::size_t total = 0;
      for (std::size_t i = 0, count = out.Gather(slices); i < count; ++i) {
        in_.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
        total += slices[i].iov_len;
      }
      out.Written(total);
      connection_->GoOn();
    }
  }
  [[nodiscard]] std::size_t WholeFrame() const {
    if (in_.size() < 4) return 0;
    const auto size = static_cast<std::size_t>(GetBe<std::int32_t>(AsBytes(in_).data())) + 4;
    return in_.size() >= size ? size : 0;
  }

  FakeTurnLoop& loop_;
  Broker& broker_;
  const std::shared_ptr<KafkaConnection> connection_;
  std::string in_;
  std::int32_t asked_ = 0, answered_ = 0;
  std::vector<std::unique_ptr<std::string>> frames_;  // answers view them
  kafka::Arena arena_;
};

class BrokerFixture : public ::testing::Test {
 protected:
  /// What a log had in an earlier life: made before the engine opens with `options`, which may change.
  using Past = std::function<void(EngineOptions& options)>;

  explicit BrokerFixture(BrokerSettings settings = {.cluster_id = "test-cluster", .port = 9092}, const Past& past = {})
      : engine_(*Engine::Open(Options(past))),
        log_(std::make_unique<PartitionAccess>(*engine_)),
        admin_(*ThreadPool::Start({.threads = 1, .queue_max = 100})),
        cold_(*ThreadPool::Start({.threads = 2, .queue_max = 100})),
        group_access_(std::make_unique<GroupAccess>(*engine_)),
        groups_(std::make_unique<GroupDesk>(GroupDesk::Parts{.access = *group_access_,
                                                             .home = loop_,
                                                             .pool = *admin_,
                                                             .random = random_,
                                                             .tell = [](std::string_view) {}},
                                            GroupSettings{.initial_delay = std::chrono::milliseconds(0)})),
        broker_(std::make_unique<Broker>(Broker::Parts{.engine = *engine_,
                                                       .log = *log_,
                                                       .loop = loop_,
                                                       .admin = *admin_,
                                                       .cold = *cold_,
                                                       .cold_bytes = cold_bytes_,
                                                       .session_bytes = session_bytes_,
                                                       .groups = *groups_},
                                         std::move(settings), [](std::string_view) {})) {
    EXPECT_TRUE(groups_->Load());
  }
  ~BrokerFixture() override {
    clients_.clear();
    admin_->Close();
    cold_->Close();
    loop_.RunPosted();
    broker_.reset();
    groups_.reset();
    group_access_.reset();
    log_.reset();
  }

  EngineOptions Options(const Past& past) const {
    EngineOptions options;
    options.data_dir = directory_.path() / "data";
    options.wal_bytes_max = 64 << 20;
    options.metadata_store = "memory:";
    options.object_store = "memory:";
    if (past) past(options);
    return options;
  }
  TestClient& Connect() {
    clients_.push_back(std::make_unique<TestClient>(loop_, *broker_, frames_, in_flight_));
    return *clients_.back();
  }
  void CreateTopic(const std::string& name, std::int32_t partitions = 1) {
    const auto created = engine_->CreateTopic(name, {.partitions = partitions});
    ASSERT_TRUE(created) << created.error().ToString();
  }

  /// One batch of records with these values, a millisecond apart from `first_ms` on.
  static std::string Batch(const std::vector<std::string>& values, Compression compression = Compression::kNone,
                           std::int64_t first_ms = 1'000'000) {
    std::vector<Record> records;
    for (const std::string& value : values) {
      records.push_back({.timestamp_ms = first_ms + static_cast<std::int64_t>(records.size()), .value = value});
    }
    const auto built = BuildRecordBatch(records, {.compression = compression});
    EXPECT_TRUE(built);
    return std::string(AsText(std::as_const(*built).bytes()));
  }

  struct Sent {
    std::string topic;
    std::int32_t partition = 0;
    std::string batch;
  };
  /// One request for all of them, which must outlive it.
  static kafka::ProduceRequest Produce(const std::vector<Sent>& sent, kafka::Arena& arena, std::int16_t acks = -1) {
    const auto topics = arena.New<kafka::ProduceRequest::Topic>(sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const auto partitions = arena.New<kafka::ProduceRequest::Partition>(1);
      partitions[0].index = sent[i].partition;
      partitions[0].records = kafka::Records{.view = AsBytes(sent[i].batch), .slices = {}};
      topics[i].name = sent[i].topic;
      topics[i].partition_data = partitions;
    }
    kafka::ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 30'000;
    request.topic_data = topics;
    return request;
  }
  /// The code and base offset of the first partition.
  static std::pair<std::int16_t, std::int64_t> First(const kafka::ProduceResponse& response) {
    if (response.responses.empty() || response.responses[0].partition_responses.empty()) return {-99, -99};
    const auto& partition = response.responses[0].partition_responses[0];
    return {partition.error_code, partition.base_offset};
  }
  std::pair<std::int16_t, std::int64_t> ProduceOne(TestClient& client, const Sent& sent, std::int16_t version = 9) {
    const std::vector<Sent> one{sent};
    return First(client.Call<kafka::ProduceResponse>(Produce(one, arena_), version));
  }

  struct Wanted {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::int32_t bytes_max = 1 << 20;
    std::int32_t epoch = -1;
  };
  struct FetchLimits {
    std::int32_t wait_ms = 0, min_bytes = 1, max_bytes = 50 << 20;
  };
  kafka::FetchRequest Fetch(const std::vector<Wanted>& wanted, FetchLimits limits) {
    const auto topics = arena_.New<kafka::FetchRequest::Topic>(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto partitions = arena_.New<kafka::FetchRequest::Partition>(1);
      partitions[0].partition = wanted[i].partition;
      partitions[0].fetch_offset = wanted[i].offset;
      partitions[0].partition_max_bytes = wanted[i].bytes_max;
      partitions[0].current_leader_epoch = wanted[i].epoch;
      topics[i].topic = Keep(arena_, wanted[i].topic);
      topics[i].partitions = partitions;
    }
    kafka::FetchRequest request;
    request.max_wait_ms = limits.wait_ms;
    request.min_bytes = limits.min_bytes;
    request.max_bytes = limits.max_bytes;
    request.topics = topics;
    return request;
  }
  static const kafka::FetchResponse::Partition& At(const kafka::FetchResponse& response, std::size_t index) {
    return response.responses[index].partitions[0];
  }
  /// Base offsets of the batches in an answer.
  static std::vector<std::int64_t> Bases(const kafka::FetchResponse::Partition& partition) {
    std::vector<std::int64_t> bases;
    if (!partition.records) return {-1};
    for (kafka::Bytes left = partition.records->view; left.size() > 12;) {
      bases.push_back(GetBe<std::int64_t>(left.data()));
      left = left.subspan(12 + static_cast<std::size_t>(GetBe<std::int32_t>(left.data() + 8)));
    }
    return bases;
  }

  static constexpr std::size_t kTimersAtRest = 1;  // of the groups
  TemporaryDirectory directory_;
  FramePool frames_{8 << 20};
  ByteBudget in_flight_{64 << 20}, cold_bytes_{64 << 20}, session_bytes_{16 << 20};
  FakeTurnLoop loop_;  // what was posted and not run gives bytes back
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<PartitionAccess> log_;
  std::unique_ptr<ThreadPool> admin_, cold_;
  SystemRandom random_;
  std::unique_ptr<GroupAccess> group_access_;
  std::unique_ptr<GroupDesk> groups_;
  std::unique_ptr<Broker> broker_;
  std::vector<std::unique_ptr<TestClient>> clients_;
  kafka::Arena arena_;  // of requests
};

}  // namespace millrace
