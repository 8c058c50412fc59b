#include "client/fake_broker.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "kafka/error_codes.h"
#include "kafka/messages/all_messages.h"
#include "kafka/messages/api_keys.h"
#include "record/record_batch_view.h"

namespace millrace::client {
namespace {

using kafka::ApiKey;

bool ReadAll(int socket, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool WriteAll(int socket, std::span<const std::byte> from) {
  while (!from.empty()) {
    const ssize_t sent = ::send(socket, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    from = from.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

FakeBroker::FakeBroker() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  MR_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  MR_CHECK(::listen(listener_, 16) == 0);
  MR_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

FakeBroker::~FakeBroker() {
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  std::vector<std::thread> serving;
  {
    MutexLock lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    serving.swap(serving_);
  }
  for (std::thread& one : serving) one.join();
  MutexLock lock(mutex_);
  for (const int socket : sockets_) ::close(socket);
}

void FakeBroker::On(std::int16_t api_key, Handler handler) {
  MutexLock lock(mutex_);
  handlers_[api_key] = std::move(handler);
}

void FakeBroker::SetDurability(std::string durability) {
  MutexLock lock(mutex_);
  durability_ = std::move(durability);
}

int FakeBroker::times(std::int16_t api_key) {
  MutexLock lock(mutex_);
  return times_[api_key];
}

std::vector<std::vector<std::byte>> FakeBroker::stored() {
  MutexLock lock(mutex_);
  return stored_[0];
}

void FakeBroker::Accept() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    MutexLock lock(mutex_);
    sockets_.push_back(socket);
    serving_.emplace_back([this, socket] { Serve(socket); });
  }
}

void FakeBroker::Serve(int socket) {
  while (true) {
    std::array<std::byte, 4> head;
    if (!ReadAll(socket, head)) return;
    std::vector<std::byte> frame(static_cast<std::size_t>(GetBe<std::int32_t>(head.data())));
    if (!ReadAll(socket, frame)) return;
    kafka::Arena arena;
    kafka::WireReader in(frame, arena);
    const auto header = kafka::ReadRequestHeader(in);
    MR_CHECK(header.has_value());
    Request request{*header, frame};
    Handler handler;
    {
      MutexLock lock(mutex_);
      request.times = times_[header->api_key]++;
      if (const auto found = handlers_.find(header->api_key); found != handlers_.end()) handler = found->second;
    }
    const Reply reply = handler ? handler(request) : AnswerWell(request);
    const bool written = WriteAll(socket, reply.bytes);
    if (written && !reply.closes) continue;
    ::shutdown(socket, SHUT_RDWR);
    ++ended_;
    return;
  }
}

std::vector<std::byte> FakeBroker::Bytes(const kafka::WireSlices& slices) {
  std::vector<std::byte> bytes;
  for (const SharedBytes& slice : slices) bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
  return bytes;
}

FakeBroker::Reply FakeBroker::AnswerWell(const Request& request) {
  switch (static_cast<ApiKey>(request.header.api_key)) {
    case ApiKey::kApiVersions: {
      std::vector<kafka::ApiVersionsResponse::ApiVersion> served;
      for (const std::int16_t key : {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 32, 37, 42})
        served.push_back({key, 0, 12});
      MutexLock lock(mutex_);
      if (numbers_) served.push_back({22, 0, 5});
      kafka::ApiVersionsResponse response;
      response.api_keys = served;
      return Answer(request, response);
    }
    case ApiKey::kMetadata:
      return Metadata(request);
    case ApiKey::kDescribeConfigs:
      return Configs(request);
    case ApiKey::kListOffsets:
      return Offsets(request);
    case ApiKey::kProduce:
      return Produce(request);
    case ApiKey::kFetch:
      return Fetch(request);
    case ApiKey::kInitProducerId: {
      kafka::InitProducerIdResponse response;
      response.producer_id = 7;
      return Answer(request, response);
    }
    default:
      return {.bytes = {}, .closes = true};
  }
}

FakeBroker::Reply FakeBroker::Metadata(const Request& request) {
  using kafka::MetadataResponse;
  kafka::Arena arena;
  const auto body = Read<kafka::MetadataRequest>(request, arena);
  const MetadataResponse::Broker broker{.node_id = 1, .host = "127.0.0.1", .port = port_};
  const std::array<MetadataResponse::Partition, 2> partitions{
      MetadataResponse::Partition{.partition_index = 0, .leader_id = 1},
      MetadataResponse::Partition{.partition_index = 1, .leader_id = 1}};
  std::vector<MetadataResponse::Topic> topics;
  const auto add = [&](std::string_view name) {
    MetadataResponse::Topic& topic = topics.emplace_back();
    topic.name = name;
    if (name == "t") {
      topic.partitions = partitions;
    } else {
      topic.error_code = kafka::code::kUnknownTopicOrPartition;
    }
  };
  if (!body.topics) add("t");
  for (const auto& topic : *body.topics) add(*topic.name);
  MetadataResponse response;
  response.brokers = {&broker, 1};
  response.controller_id = 1;
  response.topics = topics;
  return Answer(request, response);
}

FakeBroker::Reply FakeBroker::Configs(const Request& request) {
  using kafka::DescribeConfigsResponse;
  std::vector<DescribeConfigsResponse::Config> configs;
  const auto add = [&](std::string_view name, std::string_view value) {
    configs.emplace_back();
    configs.back().name = name;
    configs.back().value = value;
  };
  add("retention.ms", "604800000");
  add("segment.bytes", "1");
  std::string durability;
  {
    MutexLock lock(mutex_);
    durability = durability_;
  }
  if (!durability.empty()) add("millrace.durability", durability);
  DescribeConfigsResponse::Resource resource;
  resource.resource_type = 2;
  resource.resource_name = "t";
  resource.configs = configs;
  DescribeConfigsResponse response;
  response.results = {&resource, 1};
  return Answer(request, response);
}

FakeBroker::Reply FakeBroker::Offsets(const Request& request) {
  kafka::Arena arena;
  const auto body = Read<kafka::ListOffsetsRequest>(request, arena);
  std::vector<kafka::ListOffsetsResponse::Partition> partitions;
  MutexLock lock(mutex_);
  for (const auto& asked : body.topics.front().partitions) {
    auto& partition = partitions.emplace_back();
    partition.partition_index = asked.partition_index;
    partition.offset = asked.timestamp == -2  ? 0
                       : asked.timestamp >= 0 ? -1
                                              : ends_[static_cast<std::size_t>(asked.partition_index)];
  }
  kafka::ListOffsetsResponse::Topic topic{.name = "t", .partitions = partitions};
  kafka::ListOffsetsResponse response;
  response.topics = {&topic, 1};
  return Answer(request, response);
}

FakeBroker::Reply FakeBroker::Produce(const Request& request) {
  kafka::Arena arena;
  const auto body = Read<kafka::ProduceRequest>(request, arena);
  const auto& asked = body.topic_data.front().partition_data.front();
  const auto index = static_cast<std::size_t>(asked.index);
  std::vector<std::byte> batch(asked.records->view.begin(), asked.records->view.end());
  kafka::ProduceResponse::Partition partition;
  partition.index = asked.index;
  {
    MutexLock lock(mutex_);
    if (auto repeated = Repeated(index, batch)) {
      repeated->index = asked.index;
      return Produced(request, body.topic_data.front().name, *repeated);
    }
    partition.base_offset = ends_[index];
    ends_[index] += RecordBatchView::Parse(batch)->record_count();
    StampBatch(batch, Offset(partition.base_offset), LeaderEpoch(0));
    stored_[index].push_back(std::move(batch));
  }
  return Produced(request, body.topic_data.front().name, partition);
}

std::optional<kafka::ProduceResponse::Partition> FakeBroker::Repeated(std::size_t index,
                                                                      std::span<const std::byte> bytes) {
  const auto batch = RecordBatchView::Parse(bytes);
  if (!numbers_ || batch->producer_id() < 0) return std::nullopt;
  std::int32_t next = 0;
  for (const auto& stored : stored_[index]) {
    const auto known = RecordBatchView::Parse(stored);
    if (known->base_sequence() == batch->base_sequence())
      return kafka::ProduceResponse::Partition{.base_offset = known->base_offset().value()};
    next = known->base_sequence() + known->record_count();
  }
  if (batch->base_sequence() == next) return std::nullopt;
  return kafka::ProduceResponse::Partition{.error_code = kafka::code::kOutOfOrderSequenceNumber, .base_offset = -1};
}

void FakeBroker::NumberBatches() {
  MutexLock lock(mutex_);
  numbers_ = true;
}

FakeBroker::Reply FakeBroker::Produced(const Request& request, std::string_view name,
                                       const kafka::ProduceResponse::Partition& partition) {
  kafka::ProduceResponse::Topic topic;
  topic.name = name;
  topic.partition_responses = {&partition, 1};
  kafka::ProduceResponse response;
  response.responses = {&topic, 1};
  return Answer(request, response);
}

FakeBroker::Reply FakeBroker::Refuse(const Request& request, std::int16_t code) {
  kafka::Arena arena;
  const auto body = Read<kafka::ProduceRequest>(request, arena);
  kafka::ProduceResponse::Partition partition;
  partition.index = body.topic_data.front().partition_data.front().index;
  partition.error_code = code;
  partition.base_offset = -1;
  return Produced(request, body.topic_data.front().name, partition);
}

FakeBroker::Reply FakeBroker::Fetch(const Request& request) {
  kafka::Arena arena;
  const auto body = Read<kafka::FetchRequest>(request, arena);
  const auto& asked = body.topics.front().partitions.front();
  const auto index = static_cast<std::size_t>(asked.partition);
  std::vector<std::byte> bytes;
  kafka::FetchResponse::Partition partition;
  partition.partition_index = asked.partition;
  partition.log_start_offset = 0;
  {
    MutexLock lock(mutex_);
    partition.high_watermark = ends_[index];
    for (const auto& batch : stored_[index]) {
      if (RecordBatchView::Parse(batch)->end_offset() <= Offset(asked.fetch_offset)) continue;
      bytes.insert(bytes.end(), batch.begin(), batch.end());
    }
  }
  if (asked.fetch_offset > partition.high_watermark) partition.error_code = kafka::code::kOffsetOutOfRange;
  partition.records = kafka::Records{.view = bytes};
  kafka::FetchResponse::Topic topic;
  topic.topic = "t";
  topic.partitions = {&partition, 1};
  kafka::FetchResponse response;
  response.responses = {&topic, 1};
  return Answer(request, response);
}

}  // namespace millrace::client
