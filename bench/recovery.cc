// Opening after a kill: the WAL is full of acknowledged data that no segment holds.
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

/// Runs `work` in another process that dies by kill -9 right after it; what `work` returned.
double InKilledProcess(const std::function<double()>& work) {
  int channel[2];
  if (pipe(channel) != 0) Die("pipe");
  const pid_t process = fork();
  if (process == 0) {
    const double figure = work();
    if (write(channel[1], &figure, sizeof figure) != static_cast<ssize_t>(sizeof figure)) _exit(1);
    kill(getpid(), SIGKILL);
  }
  close(channel[1]);
  double figure = 0;
  const bool whole = read(channel[0], &figure, sizeof figure) == static_cast<ssize_t>(sizeof figure);
  close(channel[0]);
  waitpid(process, nullptr, 0);
  if (!whole) Die("the process to be killed failed before that");
  return figure;
}

void Measure(Suite& suite, std::uint64_t bytes, const char* text, const std::vector<Goal>& goals) {
  const Row row{fmt::format("recovery of {} of WAL", text), "s",
                "open after kill -9, all of it acknowledged and in no segment, batches of 256 records of 500..1,024 B "
                "random, page cache dropped; raw: "
                "one sequential read of the same files, page cache dropped",
                Better::kLower, goals};
  if (!suite.Wants(row)) return;
  const Payloads payloads(suite.seed(), Sizes::kUniform);
  const auto directory = suite.FreshDirectory("engine");
  EngineOptions options = QuietOptions(directory);
  std::int64_t records = 0;
  constexpr std::int64_t kBatch = 256;
  records = static_cast<std::int64_t>(bytes / (762 * kBatch)) * kBatch;
  InKilledProcess([&] {
    auto* engine = new OpenedEngine(options, 1);  // never destroyed: the process is killed
    for (std::int64_t i = 0; i < records / kBatch; ++i) {
      engine->Append(OpenedEngine::Partition(0), payloads.Batch(static_cast<std::size_t>(i), kBatch),
                     Durability::kDisk);
    }
    return 0.0;
  });
  suite.Compare(row, {{"millrace Engine::Open",
                       [&] {
                         ForgetPages(directory);
                         return InKilledProcess([&] {
                           const Stopwatch watch;
                           auto* engine = new OpenedEngine(options, 1);
                           const double seconds = watch.seconds();
                           const PartitionOffsets offsets =
                               OrDie((*engine)->Offsets(OpenedEngine::Partition(0)), "offsets");
                           if (offsets.durable_end != Offset(records)) Die("recovery lost acknowledged records");
                           return seconds;
                         });
                       }},
                      {"sequential read of the files", [&] {
                         ForgetPages(directory);
                         const Stopwatch watch;
                         if (ReadFiles(directory) < bytes * 9 / 10) Die("the WAL is smaller than what was appended");
                         return watch.seconds();
                       }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("recovery", argc, argv);
  Measure(suite, 2'000'000'000, "2 GB", {{1, 1.5}});
  Measure(suite, 64u << 20, "64 MiB", {{{}, 0.150}});
  return 0;
}
