#include <fmt/core.h>

#include <span>
#include <vector>

#include "bench/groups_rows/groups_rows.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

constexpr std::int32_t kPartitions = 10'000, kChanged = 10, kRounds = 1'000;
constexpr double kMicroseconds = 1e6;

/// The server's processor time for one fetch that finds kChanged partitions with a record each.
double SessionCost(const ServerProcess& server, const Payloads& payloads) {
  Wire producer(server.port()), consumer(server.port());
  std::vector<FetchRange> all;
  for (std::int32_t i = 0; i < kPartitions; ++i) all.push_back({.partition = i, .begin = 0});
  SessionPlace place{.id = ReadSession(consumer.Ask(SessionFrame(kTopic, {}, all))).session_id, .epoch = 1};
  if (place.id == 0) Die("there is no room for a session");
  std::vector<FetchRange> moved;
  double spent = 0;
  const std::span<const Record> record = payloads.Batch(0, 1);
  for (std::int32_t round = 0; round < kRounds; ++round) {
    std::vector<std::string> frames;
    for (std::int32_t i = 0; i < kChanged; ++i)
      frames.push_back(ProduceFrame(kTopic, (round * kChanged + i) * 7 % kPartitions, record));
    for (const std::string& frame : frames) CheckProduced(producer.Ask(frame), kTopic);
    const std::string frame = SessionFrame(kTopic, place, moved);
    const double before = server.CpuSeconds();
    const std::string_view answer = consumer.Ask(frame);
    // The first one goes over all of them, once.
    if (round > 0) spent += server.CpuSeconds() - before;
    SessionNews news = ReadSession(answer);
    if (round > 0 && news.partitions.size() != kChanged)
      Die(fmt::format("{} partitions have news, not {}", news.partitions.size(), kChanged));
    moved = std::move(news.partitions);
    ++place.epoch;
  }
  return spent / (kRounds - 1) * kMicroseconds;
}

}  // namespace

void SessionRow(Suite& suite) {
  const Row row{"fetch session, 10,000 partitions, 10 change, CPU per fetch",
                "us",
                "server's processor time; one record of 1 KiB in each of the ten, produced before",
                Better::kLower,
                {{{}, 100}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  suite.Compare(row, {{"millrace", [&] {
                         const auto server = ServeMillrace(suite.FreshDirectory("session") / "data");
                         MakeTopic(server->port(), kTopic, kPartitions);
                         return SessionCost(*server, payloads);
                       }}});
}

}  // namespace millrace::bench
