#include "bench/kafka_rows/librdkafka_load.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>

#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

namespace millrace::bench {
namespace {

constexpr int kPollMs = 10, kFlushMs = 60'000;

struct Delivered {
  std::uint64_t records = 0, bytes = 0;
};

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* delivered) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die(std::string("librdkafka did not deliver: ") + rd_kafka_err2str(message->err));
  auto& sum = *static_cast<Delivered*>(delivered);
  ++sum.records;
  sum.bytes += message->len;
}

struct Close {
  void operator()(rd_kafka_t* producer) const { rd_kafka_destroy(producer); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};

std::unique_ptr<rd_kafka_t, Close> MakeProducer(std::uint16_t port, std::size_t batch_bytes, Delivered& delivered) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  std::string why(512, '\0');
  const auto set = [&](const char* name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) Die(why);
  };
  set("bootstrap.servers", fmt::format("127.0.0.1:{}", port));
  set("acks", "all");
  set("batch.size", std::to_string(batch_bytes));
  set("message.max.bytes", std::to_string(batch_bytes + 4'096));
  set("batch.num.messages", "100000");
  set("linger.ms", "5");
  set("queue.buffering.max.kbytes", "262144");
  rd_kafka_conf_set_dr_msg_cb(conf, &OnDelivery);
  rd_kafka_conf_set_opaque(conf, &delivered);
  std::unique_ptr<rd_kafka_t, Close> producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
  if (!producer) Die(why);
  return producer;
}

/// Waits while the library's queue is full. The value stays where it is.
void Hand(rd_kafka_t* producer, rd_kafka_topic_t* topic, std::string_view value) {
  while (rd_kafka_produce(topic, 0, 0, const_cast<char*>(value.data()), value.size(), nullptr, 0, nullptr) != 0) {
    const rd_kafka_resp_err_t error = rd_kafka_last_error();
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
      Die(std::string("librdkafka takes no record: ") + rd_kafka_err2str(error));
    rd_kafka_poll(producer, kPollMs);
  }
}

}  // namespace

Cost ProduceByLibrdkafka(const ServerProcess& server, std::string_view topic, const Payloads& payloads,
                         std::size_t batch_bytes, double seconds) {
  Delivered delivered;
  const auto producer = MakeProducer(server.port(), batch_bytes, delivered);
  const std::unique_ptr<rd_kafka_topic_t, Close> to(
      rd_kafka_topic_new(producer.get(), std::string(topic).c_str(), nullptr));
  Cost cost;
  const double before = server.CpuSeconds();
  const Stopwatch watch;
  for (std::size_t i = 0; watch.seconds() < seconds; ++i) {
    Hand(producer.get(), to.get(), payloads.value(i));
    if (i % 1'000 == 0) rd_kafka_poll(producer.get(), 0);
  }
  if (rd_kafka_flush(producer.get(), kFlushMs) != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die("librdkafka did not deliver everything in a minute");
  cost.seconds = watch.seconds();
  cost.server_seconds = server.CpuSeconds() - before;
  cost.requests = delivered.records;
  cost.bytes = delivered.bytes;
  return cost;
}

}  // namespace millrace::bench
