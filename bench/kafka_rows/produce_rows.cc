#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "bench/harness/payloads.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"
#include "bench/kafka_rows/kafka_rows.h"
#include "bench/kafka_rows/librdkafka_load.h"
#include "bench/kafka_rows/load.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

constexpr const char* kSynced = "flushed";  // Kafka's topic that is synced before each answer
constexpr double kSeconds = 2;

std::vector<std::string> Frames(const Payloads& payloads, const char* topic, std::size_t records, std::size_t count) {
  std::vector<std::string> frames;
  for (std::size_t i = 0; i < count; ++i) frames.push_back(ProduceFrame(topic, 0, payloads.Batch(i, records)));
  return frames;
}

/// Synced overwrites of 4 KiB, in microseconds, ascending.
std::vector<double> RawSyncs(RecycledFile& file) {
  std::vector<double> times;
  for (int i = 0; i < 2000; ++i) {
    const Stopwatch watch;
    file.SyncedOverwrite(4096);
    times.push_back(watch.microseconds());
  }
  std::sort(times.begin(), times.end());
  return times;
}

void SmallRows(Suite& suite, const ServerProcess& ours, const ServerProcess* kafka, const Payloads& payloads) {
  const auto floor = ServeTheFloor(suite, kTopic);
  const auto frames = Frames(payloads, kTopic, 1, 256), synced = Frames(payloads, kSynced, 1, 256);
  const auto rate = [](const ServerProcess& server, const char* topic, const std::vector<std::string>& of) {
    return [&server, topic, &of] {
      return Produce(server, topic, of, {.connections = 64, .seconds = kSeconds}).RequestsPerSecond();
    };
  };
  Row row{"wire: 64 connections, 1 in flight, 1 KiB",
          "requests/s",
          "Produce v7 of one record, acks = all, one partition; servers on one core, generator on the other; ours and "
          "the floor sync before they answer",
          Better::kHigher,
          {{1, 0.7}, {1, 0.8}}};
  std::vector<Side> sides = {{"millrace", rate(ours, kTopic, frames)},
                             {"floor: echo with a synced write", rate(*floor, kTopic, frames)}};
  if (kafka != nullptr) {
    row.goals.push_back({2, 2});
    sides.push_back({"Kafka, unsynced", rate(*kafka, kTopic, frames)});
    sides.push_back({"Kafka, flush.messages=1", rate(*kafka, kSynced, synced)});
  }
  suite.Compare(row, sides);

  RecycledFile disk(suite.FreshDirectory("raw") / "file", 64 << 20, suite.seed());
  const auto beyond = [&](const ServerProcess& server) {
    const std::vector<double> raw = RawSyncs(disk);
    return Produce(server, kTopic, frames, {.seconds = kSeconds}).Percentile(0.5) - raw[raw.size() / 2];
  };
  suite.Compare(
      {"wire: one connection, ack p50 beyond T_sync",
       "us",
       "one record of 1 KiB in flight, acks = all; T_sync: median of 2,000 synced overwrites of 4 KiB just before",
       Better::kLower,
       {{{}, 50}, {{}, 35}}},
      {{"millrace", [&] { return beyond(ours); }}, {"floor", [&] { return beyond(*floor); }}});
  suite.Compare({"wire: one connection, ack p99", "us", "the same", Better::kLower, {{1, 2}}},
                {{"millrace", [&] { return Produce(ours, kTopic, frames, {.seconds = kSeconds}).Percentile(0.99); }},
                 {"raw sync, p99", [&] {
                    const std::vector<double> raw = RawSyncs(disk);
                    return raw[raw.size() * 99 / 100];
                  }}});
}

void LargeRows(Suite& suite, const ServerProcess& ours, const ServerProcess* kafka, const Payloads& payloads) {
  struct Size {
    const char* text;
    std::size_t records;
    std::vector<Goal> throughput, processor;
  };
  const Size sizes[] = {{"1 MiB batches", 1000, {{1, 1}, {1, 1.2}}, {{{}, 1.2}, {{}, 0.8}}},
                        {"16 KiB batches", 15, {}, {{{}, 3}, {{}, 1.9}}}};
  for (const Size& size : sizes) {
    const auto frames = Frames(payloads, kTopic, size.records, 32);
    const auto run = [&](const ServerProcess& server) {
      return Produce(server, kTopic, frames, {.connections = 4, .in_flight = 5, .seconds = kSeconds});
    };
    Row speed{fmt::format("wire: {}", size.text),
              "MB/s",
              "4 connections, 5 in flight, acks = all, records of 1 KiB, "
              "one partition, not compressed",
              Better::kHigher,
              {}};
    Row cost{fmt::format("wire: {}, server CPU", size.text), "s/GB", "user and system time of the server",
             Better::kLower, size.processor};
    std::vector<Side> speeds = {{"millrace", [&] { return run(ours).MegabytesPerSecond(); }}};
    std::vector<Side> costs = {{"millrace", [&] { return run(ours).ServerSecondsPerGigabyte(); }}};
    if (kafka != nullptr) {
      speed.goals = size.throughput;
      speeds.push_back({"Kafka, unsynced", [&] { return run(*kafka).MegabytesPerSecond(); }});
      costs.push_back({"Kafka, unsynced", [&] { return run(*kafka).ServerSecondsPerGigabyte(); }});
    }
    suite.Compare(speed, speeds);
    suite.Compare(cost, costs);
  }
}

/// The same bytes as a program sends them that uses librdkafka: what it can make is the limit here, on either side.
void LibraryRows(Suite& suite, const ServerProcess& ours, const ServerProcess* kafka, const Payloads& payloads) {
  for (const auto& [text, bytes] : {std::pair{"1 MB batches", 1'000'000}, std::pair{"16 KB batches", 16'384}}) {
    const auto run = [&, bytes = static_cast<std::size_t>(bytes)](const ServerProcess& server) {
      return ProduceByLibrdkafka(server, kTopic, payloads, bytes, kSeconds);
    };
    std::vector<Side> speeds = {{"millrace", [&] { return run(ours).MegabytesPerSecond(); }}};
    std::vector<Side> costs = {{"millrace", [&] { return run(ours).ServerSecondsPerGigabyte(); }}};
    if (kafka != nullptr) {
      speeds.push_back({"Kafka, unsynced", [&] { return run(*kafka).MegabytesPerSecond(); }});
      costs.push_back({"Kafka, unsynced", [&] { return run(*kafka).ServerSecondsPerGigabyte(); }});
    }
    suite.Compare({fmt::format("wire: librdkafka, {}", text),
                   "MB/s",
                   "one producer, acks = all, linger 5 ms, records of 1 KiB, one partition, not compressed",
                   Better::kHigher,
                   {}},
                  speeds);
    suite.Compare({fmt::format("wire: librdkafka, {}, server CPU", text), "s/GB", "the same", Better::kLower, {}},
                  costs);
  }
}

}  // namespace

void ProduceRows(Suite& suite, const ServerProcess* kafka) {
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  const auto ours = ServeMillrace(suite.FreshDirectory("produce") / "data");
  MakeTopic(ours->port(), kTopic, 1, {{"retention.bytes", "1000000000"}});
  if (kafka != nullptr) {
    MakeTopic(kafka->port(), kTopic, 1, {{"retention.bytes", "1000000000"}});
    MakeTopic(kafka->port(), kSynced, 1, {{"flush.messages", "1"}});
  }
  SmallRows(suite, *ours, kafka, payloads);
  LargeRows(suite, *ours, kafka, payloads);
  LibraryRows(suite, *ours, kafka, payloads);
}

}  // namespace millrace::bench
