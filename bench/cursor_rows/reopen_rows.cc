// Opening a directory that was closed cleanly and is full of records that no segment holds.
#include <fmt/core.h>

#include <memory>

#include "bench/cursor_rows/cursor_rows.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"

namespace millrace::bench {

namespace {

enum class Pages { kWarm, kCold };

struct Shape {
  const char* text;
  std::uint64_t bytes;
  double goal_seconds;
  bool with_peer;
  std::size_t partitions;  // each holds less than a segment at its largest, so that nothing is uploaded
};

/// Seconds to open; then a few records of each partition are read and verified.
double OpenSeconds(const EngineOptions& options, const NumberedPayloads& payloads, std::size_t partitions,
                   std::uint64_t records) {
  const Stopwatch watch;
  OpenedEngine engine(options, static_cast<std::int32_t>(partitions));
  const double seconds = watch.seconds();
  for (std::size_t i = 0; i < partitions; ++i) {
    const TopicPartition partition = OpenedEngine::Partition(i);
    const PartitionOffsets offsets = OrDie(engine->Offsets(partition), "offsets");
    if (offsets.log_end != Offset(static_cast<std::int64_t>(records))) Die("records are missing");
    for (const std::uint64_t at : {std::uint64_t{0}, records / 2, records - 1}) {
      const ReadResult read = OrDie(
          engine->Read(partition, Offset(static_cast<std::int64_t>(at)), {.bytes_max = 1, .records_max = 1}), "read");
      if (read.records.empty() || !payloads.Is(at, *read.records[0].value)) Die("a record is not what was written");
    }
  }
  return seconds;
}

void Measure(Suite& suite, const Shape& shape) {
  const auto name = [&](Pages pages) {
    return fmt::format("reopening {}, cleanly closed{}", shape.text,
                       pages == Pages::kCold ? ", page cache dropped" : "");
  };
  Row row{"",
          "s",
          "Engine::Open, all records in the WAL, appended 256 a batch of 500..1,024 B random; walrus: the same bytes, "
          "appended one by one",
          Better::kLower,
          {{{}, shape.goal_seconds}}};
  Row cold = row;
  row.name = name(Pages::kWarm);
  cold.name = name(Pages::kCold);
  if (!suite.Wants(row) && !suite.Wants(cold)) return;
  NumberedPayloads payloads(suite.seed());
  const auto all = static_cast<std::uint64_t>(static_cast<double>(shape.bytes) / NumberedPayloads::kMeanBytes);
  const std::uint64_t records = all / shape.partitions;
  for (const Row& wanted : {row, cold}) {
    if (!suite.Wants(wanted)) continue;
    const auto directory = suite.FreshDirectory("engine");
    const auto peer_directory = suite.FreshDirectory("peer");
    EngineOptions options = QuietOptions(directory);
    options.wal_bytes_max = shape.bytes * 3 / 2;
    {
      OpenedEngine engine(options, static_cast<std::int32_t>(shape.partitions));
      for (std::size_t i = 0; i < shape.partitions; ++i)
        Fill(engine, payloads, 0, records, 256, Durability::kOs, OpenedEngine::Partition(i));
    }
    const auto forget = [&](const std::filesystem::path& which) {
      if (wanted.name == cold.name) ForgetPages(which);
    };
    std::vector<Side> sides = {{"millrace Engine::Open", [&] {
                                  forget(directory);
                                  return OpenSeconds(options, payloads, shape.partitions, records);
                                }}};
    if (shape.with_peer && !suite.walrus().empty()) {
      WalrusPeer(suite.walrus(), peer_directory, "none", "strict", suite.seed()).Ask(fmt::format("append 1 {}", all));
      sides.push_back(
          {"walrus", [&] {
             forget(peer_directory);
             return WalrusPeer(suite.walrus(), peer_directory, "none", "strict", suite.seed()).open_seconds();
           }});
    }
    suite.Compare(wanted, sides);
  }
}

}  // namespace

void MeasureReopening(Suite& suite) {
  Measure(suite, {"2 GB", 2'000'000'000, 0.2, true, 1});
  Measure(suite, {"10 GB", 10'000'000'000, 1.0, false, 5});
}

}  // namespace millrace::bench
