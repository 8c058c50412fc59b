#include "bench/wire/wire.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/coding.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/suite.h"
#include "bench/wire/message_frame.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/produce.h"
#include "record/record_batch_builder.h"

namespace millrace::bench {
namespace {

constexpr std::int16_t kProduceVersion = 7, kFetchVersion = 11, kCreateVersion = 5;  // of both, as old clients ask
constexpr std::int16_t kSessionVersion = 12;
// Of a batch: where its length, the last offset's distance and its base offset are.
constexpr std::size_t kLengthAt = 8, kLastDeltaAt = 23, kBatchHead = 12;

template <class T>
T At(std::string_view bytes, std::size_t position) {
  if (position + sizeof(T) > bytes.size()) Die("an answer is too short");
  return GetBe<T>(AsBytes(bytes).data() + position);
}

}  // namespace

Wire::Wire(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("cannot connect");
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Wire::~Wire() {
  if (socket_ >= 0) close(socket_);
}

Wire::Wire(Wire&& other) noexcept : socket_(std::exchange(other.socket_, -1)), answer_(std::move(other.answer_)) {}

void Wire::Send(std::string_view frame) {
  while (!frame.empty()) {
    const ssize_t sent = send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL);
    if (sent <= 0) Die("the server closed a connection");
    frame.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Wire::Fill(std::size_t size) {
  answer_.resize(size);
  if (recv(socket_, answer_.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) {
    Die("the server closed a connection");
  }
}

std::string_view Wire::Receive() {
  Fill(sizeof(std::int32_t));
  Fill(static_cast<std::size_t>(At<std::uint32_t>(answer_, 0)));
  return answer_;
}

std::string ProduceFrame(std::string_view topic, std::int32_t partition, std::span<const Record> records) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const SharedBytes batch = OrDie(BuildRecordBatch(records, {.now_ms = now.count()}), "a batch").Freeze();
  kafka::ProduceRequest::Partition part{.index = partition, .records = kafka::Records{}};
  part.records->view = batch;
  const kafka::ProduceRequest::Topic one{.name = topic, .partition_data = {&part, 1}};
  return FrameOf(kafka::ProduceRequest{.acks = -1, .timeout_ms = 30'000, .topic_data = {&one, 1}}, kProduceVersion);
}

void CheckProduced(std::string_view answer, std::string_view topic) {
  // correlation, count of topics, name, count of partitions, index
  const auto code = At<std::int16_t>(answer, 4 + 4 + 2 + topic.size() + 4 + 4);
  if (code != 0) Die(fmt::format("a batch was refused with {}", code));
}

std::string ProducedAnswer(std::string_view topic) {
  const kafka::ProduceResponse::Partition part{};
  const kafka::ProduceResponse::Topic one{.name = topic, .partition_responses = {&part, 1}};
  std::string frame;
  for (const SharedBytes& slice :
       kafka::EncodeResponse(kafka::ProduceResponse{.responses = {&one, 1}}, kProduceVersion, kCorrelation)) {
    frame += AsText(slice);
  }
  return frame;
}

std::string FetchFrame(std::string_view topic, const FetchRange& range) {
  kafka::FetchRequest::Partition part{.partition = range.partition, .fetch_offset = range.begin};
  part.partition_max_bytes = range.bytes_max;
  const kafka::FetchRequest::Topic one{.topic = topic, .partitions = {&part, 1}};
  kafka::FetchRequest request;
  request.max_wait_ms = range.wait_ms;
  request.min_bytes = range.wait_ms > 0 ? 1 : 0;
  request.max_bytes = range.bytes_max;
  request.topics = {&one, 1};
  return FrameOf(request, kFetchVersion);
}

namespace {

/// Where the batches end; `begin` if there is none.
std::int64_t NextOffset(std::string_view batches, std::int64_t begin) {
  std::int64_t next = begin;
  for (std::size_t at = 0; at + kLastDeltaAt + 4 <= batches.size();) {
    const std::size_t end = at + kBatchHead + At<std::uint32_t>(batches, at + kLengthAt);
    if (end > batches.size()) break;  // the limit cut it
    next = At<std::int64_t>(batches, at) + At<std::int32_t>(batches, at + kLastDeltaAt) + 1;
    at = end;
  }
  return next;
}

}  // namespace

Fetched ReadFetched(std::string_view answer, std::int64_t begin) {
  kafka::Arena arena;
  const auto response = Answered<kafka::FetchResponse>(answer, kFetchVersion, arena);
  Fetched fetched{.next = begin};
  for (const auto& topic : response.responses) {
    for (const auto& part : topic.partitions) {
      if (part.error_code != 0) Die(fmt::format("a fetch was refused with {}", part.error_code));
      if (!part.records) continue;
      const std::string_view batches = AsText(part.records->view);
      fetched.bytes += batches.size();
      fetched.next = NextOffset(batches, fetched.next);
    }
  }
  return fetched;
}

std::string SessionFrame(std::string_view topic, const SessionPlace& place, std::span<const FetchRange> ranges) {
  std::vector<kafka::FetchRequest::Partition> partitions;
  for (const FetchRange& range : ranges) {
    partitions.push_back({.partition = range.partition, .fetch_offset = range.begin});
    partitions.back().partition_max_bytes = range.bytes_max;
  }
  const kafka::FetchRequest::Topic one{.topic = topic, .partitions = partitions};
  kafka::FetchRequest request;
  request.max_wait_ms = ranges.empty() ? 0 : ranges.front().wait_ms;
  request.min_bytes = 1;
  request.max_bytes = 50 << 20;
  request.session_id = place.id;
  request.session_epoch = place.epoch;
  if (!ranges.empty()) request.topics = {&one, 1};
  return FrameOf(request, kSessionVersion);
}

SessionNews ReadSession(std::string_view answer) {
  kafka::Arena arena;
  const auto response = Answered<kafka::FetchResponse>(answer, kSessionVersion, arena);
  if (response.error_code != 0) Die(fmt::format("a fetch session was refused with {}", response.error_code));
  SessionNews news{.session_id = response.session_id};
  for (const auto& topic : response.responses) {
    for (const auto& part : topic.partitions) {
      if (part.error_code != 0) Die(fmt::format("a fetch was refused with {}", part.error_code));
      if (!part.records || part.records->view.empty()) continue;
      news.partitions.push_back(
          {.partition = part.partition_index, .begin = NextOffset(AsText(part.records->view), 0)});
    }
  }
  return news;
}

void MakeTopic(std::uint16_t port, std::string_view name, std::int32_t partitions,
               const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<kafka::CreateTopicsRequest::Config> configs;
  for (const auto& [key, value] : settings) configs.push_back({.name = key, .value = std::string_view(value)});
  kafka::CreateTopicsRequest::Topic one{.name = name, .num_partitions = partitions, .replication_factor = 1};
  one.configs = configs;
  Wire wire(port);
  const std::string_view answer = wire.Ask(FrameOf(kafka::CreateTopicsRequest{.topics = {&one, 1}}, kCreateVersion));
  kafka::Arena arena;
  const auto response = Answered<kafka::CreateTopicsResponse>(answer, kCreateVersion, arena);
  if (response.topics.size() != 1 || response.topics[0].error_code != 0) {
    Die(fmt::format("the topic {} was not made", name));
  }
  // Apache Kafka answers before the topic has a leader.
  const std::string probe = FetchFrame(name, {.partition = partitions - 1});
  for (int tries = 0;; ++tries) {
    kafka::Arena memory;
    const auto fetched = Answered<kafka::FetchResponse>(wire.Ask(probe), kFetchVersion, memory);
    if (fetched.responses[0].partitions[0].error_code == 0) return;
    if (tries == 3000) Die(fmt::format("the topic {} cannot be read", name));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::string ApiVersionsFrame() { return FrameOf(kafka::ApiVersionsRequest{}, 0); }

}  // namespace millrace::bench
