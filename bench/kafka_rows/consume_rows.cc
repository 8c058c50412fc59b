#include <fmt/core.h>

#include "bench/harness/log_lines.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/kafka_rows/kafka_rows.h"
#include "bench/kafka_rows/load.h"
#include "bench/wire/contenders.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kBatch = 100, kSealedRecords = 200'000, kTailRecords = 12'000, kTimes = 30;

/// A data directory whose records are all in segments, none in the WAL.
std::filesystem::path SealedLog(const Suite& suite, SegmentCodec codec, std::span<const Record> records) {
  const auto data = suite.FreshDirectory("sealed") / "data";
  EngineOptions options = QuietOptions(data);
  options.upload.codec = codec;
  options.upload.segment_bytes_max = 64 << 20;
  OpenedEngine engine(std::move(options), 1);
  for (std::size_t i = 0; i < kSealedRecords; i += kBatch) {
    engine.Append(OpenedEngine::Partition(0), records.subspan(i % records.size(), kBatch), Durability::kOs);
  }
  OrDie(engine->Upload(), "upload");
  OrDie(engine->Recycle(), "recycle");
  return data;
}

void SealedRow(Suite& suite, const char* what, SegmentCodec codec, double ship, double goal) {
  const Row row{fmt::format("wire: consume, sealed, {}", what),
                "s/GB",
                "server CPU; 200,000 log lines of 1 KiB in batches of 100 through the disk cache, fetches of 1 MiB, GB "
                "of batches",
                Better::kLower,
                {{{}, ship}, {{}, goal}}};
  if (!suite.Wants(row)) return;
  const auto records = RecordsOfLogLines(suite.seed(), 20'000, 1024);
  const auto server = ServeMillrace(SealedLog(suite, codec, records));
  suite.Compare(
      row, {{"millrace", [&] { return Consume(*server, kTopic, 0, kSealedRecords, 1).ServerSecondsPerGigabyte(); }}});
}

}  // namespace

void ConsumeRows(Suite& suite) {
  const Row tail{"wire: consume, tail",
                 "s/GB",
                 "server CPU; 12 MB of the tail cache read 30 times by fetches of 1 MiB",
                 Better::kLower,
                 {{{}, 0.15}, {{}, 0.12}}};
  if (suite.Wants(tail)) {
    const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
    const auto server = ServeMillrace(suite.FreshDirectory("tail") / "data");
    MakeTopic(server->port(), kTopic, 1);
    Wire wire(server->port());
    for (std::size_t i = 0; i < kTailRecords; i += kBatch) {
      CheckProduced(wire.Ask(ProduceFrame(kTopic, 0, payloads.Batch(i, kBatch))), kTopic);
    }
    suite.Compare(
        tail,
        {{"millrace", [&] { return Consume(*server, kTopic, 0, kTailRecords, kTimes).ServerSecondsPerGigabyte(); }}});
  }
  SealedRow(suite, "not compressed", SegmentCodec::kNone, 0.25, 0.20);
  SealedRow(suite, "LZ4 blocks", SegmentCodec::kLz4, 0.45, 0.35);
}

}  // namespace millrace::bench
