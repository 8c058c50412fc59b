// Appends that the operating system holds when they return (kOs), never synced: how fast is the path itself?
#include <fmt/core.h>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/peers.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kRoundBytes = 1u << 30;

std::uint64_t MeanBytes(const Payloads& payloads) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < payloads.count(); ++i) bytes += payloads.value(i).size();
  return bytes / payloads.count();
}

void Measure(Suite& suite, std::size_t threads) {
  const Row row{fmt::format("unsynced appends, {} thread{}", threads, threads == 1 ? "" : "s"),
                "appends/s",
                "one record of 500..1,024 B random a call, SyncPolicy::None, kOs, 1 GiB a round, WAL files made before "
                "the clock starts; "
                "peer: LevelDB, sync=false, fresh folder a round",
                Better::kHigher,
                {{1, 5.0}}};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kUniform);
  const std::size_t each = kRoundBytes / MeanBytes(payloads) / threads;

  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  options.sync = SyncPolicy::None();
  OpenedEngine engine(options, static_cast<std::int32_t>(threads));
  const auto ours = [&] {
    const double seconds = TimeThreads(threads, [&](std::size_t thread) {
      for (std::size_t i = 0; i < each; ++i) {
        engine.Append(OpenedEngine::Partition(thread), {&payloads.record(thread * 61 + i), 1}, Durability::kOs);
      }
    });
    engine.Forget(threads);
    return static_cast<double>(threads * each) / seconds;
  };
  const auto level = [&] {
    const auto peer = OpenLevelDb(suite.FreshDirectory("leveldb"), PeerSync::kNever);
    const double seconds = TimeThreads(threads, [&](std::size_t thread) {
      for (std::size_t i = 0; i < each; ++i) peer->Put(i * threads + thread, payloads.value(thread * 61 + i));
    });
    return static_cast<double>(threads * each) / seconds;
  };
  suite.Compare(row, {{"millrace kOs", ours}, {"LevelDB, no sync", level}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("unsynced_append", argc, argv);
  Measure(suite, 1);
  Measure(suite, 10);
  return 0;
}
