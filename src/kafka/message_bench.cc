// What decoding a request and encoding a reply cost: Produce and Fetch as librdkafka and Kafka's client send them, and
// Metadata of many partitions.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "kafka/message.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"

namespace millrace::kafka {
namespace {

/// The frame of a request, without its size.
template <class Message>
std::vector<std::byte> Frame(const Message& message, std::int16_t version) {
  std::vector<std::byte> frame;
  for (const SharedBytes& slice : EncodeRequest(message, version, 7, "rdkafka")) {
    frame.insert(frame.end(), slice.bytes().begin(), slice.bytes().end());
  }
  frame.erase(frame.begin(), frame.begin() + 4);
  return frame;
}

template <class Message>
void RunDecode(benchmark::State& state, const std::vector<std::byte>& frame) {
  Arena arena;
  for (auto _ : state) {
    arena.Reset();
    WireReader in(frame, arena);
    const auto header = ReadRequestHeader(in);
    auto message = Decode<Message>(in, header->api_version);
    MR_CHECK(message);
    benchmark::DoNotOptimize(*message);
  }
}

void DecodeProduce(benchmark::State& state) {
  const std::string batch(1100, 'x');
  const ProduceRequest::Partition partition{.index = 3, .records = Records{.view = AsBytes(batch)}};
  const ProduceRequest::Topic topic{.name = "orders", .partition_data = {&partition, 1}};
  RunDecode<ProduceRequest>(state, Frame(ProduceRequest{.acks = -1, .topic_data = {&topic, 1}}, 9));
}
BENCHMARK(DecodeProduce);

void DecodeFetch(benchmark::State& state) {
  const std::vector<FetchRequest::Partition> partitions(static_cast<std::size_t>(state.range(0)));
  const FetchRequest::Topic topic{.topic = "orders", .partitions = partitions};
  RunDecode<FetchRequest>(state, Frame(FetchRequest{.topics = {&topic, 1}}, 12));
}
BENCHMARK(DecodeFetch)->Arg(1)->Arg(1000);

void EncodeFetch(benchmark::State& state) {
  const SharedBytes batch = SharedBytes::Copy(AsBytes(std::string(16 << 10, 'x')));
  const std::vector<FetchResponse::Partition> partitions(static_cast<std::size_t>(state.range(0)),
                                                         {.records = Records{.slices = {&batch, 1}}});
  const FetchResponse::Topic topic{.topic = "orders", .partitions = partitions};
  for (auto _ : state) benchmark::DoNotOptimize(EncodeResponse(FetchResponse{.responses = {&topic, 1}}, 12, 7));
}
BENCHMARK(EncodeFetch)->Arg(1)->Arg(1000);

void EncodeMetadata(benchmark::State& state) {
  const std::int32_t node[] = {1};
  const std::vector<MetadataResponse::Partition> partitions(static_cast<std::size_t>(state.range(0)),
                                                            {.leader_id = 1, .replica_nodes = node, .isr_nodes = node});
  const MetadataResponse::Topic topic{.name = "orders", .partitions = partitions};
  for (auto _ : state) benchmark::DoNotOptimize(EncodeResponse(MetadataResponse{.topics = {&topic, 1}}, 12, 7));
}
BENCHMARK(EncodeMetadata)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace millrace::kafka
