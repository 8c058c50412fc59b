#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/raw_disk.h"
#include "bench/kafka_rows/kafka_rows.h"
#include "bench/kafka_rows/load.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

constexpr double kSeconds = 3;

/// Server's CPU for each GB delivered, without what the same producer costs alone.
double PerGigabyteDelivered(const ServerProcess& server, std::span<const std::string> frames, std::size_t consumers) {
  const Cost alone = Follow(server, kTopic, frames, 0, kSeconds);
  const Cost followed = Follow(server, kTopic, frames, consumers, kSeconds);
  const double produced =
      alone.server_seconds / static_cast<double>(alone.requests) * static_cast<double>(followed.requests);
  return (followed.server_seconds - produced) * 1e9 / static_cast<double>(followed.bytes);
}

}  // namespace

void DeliveryRows(Suite& suite) {
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  const auto server = ServeMillrace(suite.FreshDirectory("delivery") / "data");
  MakeTopic(server->port(), kTopic, 1, {{"retention.bytes", "1000000000"}});
  const std::string one = ProduceFrame(kTopic, 0, payloads.Batch(0, 1));
  RecycledFile disk(suite.FreshDirectory("raw") / "file", 64 << 20, suite.seed());
  suite.Compare(
      {"wire: produce to delivered p50 beyond T_sync",
       "us",
       "one record of 1 KiB at a time to a fetch that is parked; T_sync: median of 400 synced overwrites of 4 KiB",
       Better::kLower,
       {{{}, 120}, {{}, 80}}},
      {{"millrace", [&] {
          const double raw = MedianSyncUs(disk, 4096, 400);
          return Deliver(*server, kTopic, one, 1000).Percentile(0.5) - raw;
        }}});

  std::vector<std::string> frames;
  for (std::size_t i = 0; i < 32; ++i) frames.push_back(ProduceFrame(kTopic, 0, payloads.Batch(i, 64)));
  suite.Compare({"wire: 50 tailing consumers, server CPU per GB delivered",
                 "s/GB",
                 "batches of 64 KiB, one in flight; what the producer costs alone is taken off",
                 Better::kLower,
                 {{1, 1.2}, {1, 1.1}}},
                {{"50 consumers", [&] { return PerGigabyteDelivered(*server, frames, 50); }},
                 {"one consumer", [&] { return PerGigabyteDelivered(*server, frames, 1); }}});
}

}  // namespace millrace::bench
