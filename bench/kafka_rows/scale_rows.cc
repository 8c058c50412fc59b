#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/kafka_rows/kafka_rows.h"
#include "bench/kafka_rows/load.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kIdleConnections = 5000;

std::vector<std::string> FramesOver(const Payloads& payloads, const std::string& topic, std::int32_t partitions) {
  std::vector<std::string> frames;
  for (std::int32_t i = 0; i < std::max(256, partitions); ++i) {
    frames.push_back(ProduceFrame(topic, i % partitions, payloads.Batch(static_cast<std::size_t>(i), 1)));
  }
  return frames;
}

void PartitionRows(Suite& suite) {
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  const auto server = ServeMillrace(suite.FreshDirectory("partitions") / "data");
  struct Topic {
    std::string name;
    std::vector<std::string> frames;
  };
  std::deque<Topic> topics;
  for (const std::int32_t partitions : {1, 1000, 10'000}) {
    const std::string name = fmt::format("t{}", partitions);
    MakeTopic(server->port(), name, partitions);
    topics.push_back({name, FramesOver(payloads, name, partitions)});
  }
  const auto rate = [&](const Topic& topic) {
    return [&] {
      return Produce(*server, topic.name, topic.frames, {.connections = 64, .seconds = 2}).RequestsPerSecond();
    };
  };
  const auto compare = [&](const char* what, const Topic& topic, double ship, double goal) {
    suite.Compare({fmt::format("wire: {} partitions, same load", what),
                   "requests/s",
                   "64 connections, 1 in flight, one record of 1 KiB to one partition after the other",
                   Better::kHigher,
                   {{1, ship}, {1, goal}}},
                  {{fmt::format("{} partitions", what), rate(topic)}, {"one partition", rate(topics[0])}});
  };
  compare("1,000", topics[1], 0.8, 0.9);
  compare("10,000", topics[2], 0.6, 0.7);
}

void StartRows(Suite& suite) {
  suite.Compare({"wire: start to first answer",
                 "ms",
                 "millrace serve on an empty directory, from fork to the answer to ApiVersions",
                 Better::kLower,
                 {{{}, 20}, {{}, 15}}},
                {{"millrace", [&] {
                    const auto data = suite.FreshDirectory("start") / "data";
                    const Stopwatch watch;
                    const auto server = ServeMillrace(data);
                    Wire(server->port()).Ask(ApiVersionsFrame());
                    return watch.milliseconds();
                  }}});
  suite.Compare({"wire: idle server, memory",
                 "MiB",
                 "resident set after its first answer, one topic",
                 Better::kLower,
                 {{{}, 25}, {{}, 20}}},
                {{"millrace", [&] {
                    const auto server = ServeMillrace(suite.FreshDirectory("idle") / "data");
                    MakeTopic(server->port(), kTopic, 1);
                    return server->ResidentKib() / 1024;
                  }}});
}

void ConnectionRow(Suite& suite) {
  const Row row{"wire: 5,000 idle connections, memory each",
                "KiB",
                "growth of the resident set when each has asked for the versions once",
                Better::kLower,
                {{{}, 16}}};
  if (!suite.Wants(row)) return;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  suite.Compare(row, {{"millrace", [&] {
                         const auto server = ServeMillrace(suite.FreshDirectory("connections") / "data",
                                                           {"--set", "server.connections_per_address_max=10000"});
                         Wire(server->port()).Ask(ApiVersionsFrame());
                         const double before = server->ResidentKib();
                         std::deque<Wire> wires;
                         for (std::size_t i = 0; i < kIdleConnections; ++i) {
                           wires.emplace_back(server->port()).Ask(ApiVersionsFrame());
                         }
                         return (server->ResidentKib() - before) / kIdleConnections;
                       }}});
}

}  // namespace

void ScaleRows(Suite& suite) {
  PartitionRows(suite);
  StartRows(suite);
  ConnectionRow(suite);
}

}  // namespace millrace::bench
