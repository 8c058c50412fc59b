// What many partitions cost: to make them, to open a log that has them, to keep them while nobody uses them, and to
// upload what they have.
#include <fmt/core.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::int32_t kMany = 10'000, kVeryMany = 100'000;
constexpr std::chrono::seconds kIdle{20};
constexpr std::uint64_t kUploadBytes = 256 << 20;

/// Of this process, user and system.
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ResidentKib() {
  std::ifstream stream("/proc/self/status");
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr);
  Die("no VmRSS in /proc/self/status");
}

/// What `work` returns, called in a process of its own.
double InAProcess(const std::function<double()>& work) {
  int result[2];
  if (pipe(result) != 0) Die("pipe");
  const pid_t process = fork();
  if (process == 0) {
    const double value = work();
    _exit(write(result[1], &value, sizeof value) == sizeof value ? 0 : 1);
  }
  close(result[1]);
  double value = 0;
  const bool whole = read(result[0], &value, sizeof value) == sizeof value;
  close(result[0]);
  waitpid(process, nullptr, 0);
  if (!whole) Die("a process of the benchmark failed");
  return value;
}

/// A closed log with so many partitions, in topics of at most 10,000.
EngineOptions ClosedLog(const Suite& suite, std::int32_t partitions) {
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  const auto engine = OrDie(Engine::Open(options), "open");
  for (std::int32_t made = 0; made < partitions; made += kMany)
    OrDie(engine->CreateTopic(fmt::format("t{}", made), {.partitions = std::min(kMany, partitions - made)}), "create");
  OrDie(engine->Close(), "close");
  return options;
}

void Made(Suite& suite) {
  suite.Compare({"create 10,000 partitions", "ms", "CreateTopic of an open engine", Better::kLower, {{{}, 1'000}}},
                {{"millrace", [&] {
                    const auto engine = OrDie(Engine::Open(QuietOptions(suite.FreshDirectory("engine"))), "open");
                    const Stopwatch watch;
                    OrDie(engine->CreateTopic("t", {.partitions = kMany}), "create");
                    const double milliseconds = watch.milliseconds();
                    OrDie(engine->Close(), "close");
                    return milliseconds;
                  }}});
}

void OpenedAgain(Suite& suite, std::int32_t partitions, double milliseconds_max) {
  const Row row{fmt::format("open {} partitions", partitions),
                "ms",
                "Engine::Open of a closed directory, topics of 10,000 partitions without records",
                Better::kLower,
                {{{}, milliseconds_max}}};
  if (!suite.Wants(row)) return;
  const EngineOptions options = ClosedLog(suite, partitions);
  suite.Compare(row, {{"millrace", [&] {
                         const Stopwatch watch;
                         const auto engine = OrDie(Engine::Open(options), "open");
                         const double milliseconds = watch.milliseconds();
                         OrDie(engine->Close(), "close");
                         return milliseconds;
                       }}});
}

/// A record of 1 KiB in each; by a process that closes its log, or ends without a word.
EngineOptions LogWithRecords(const Suite& suite, const Payloads& payloads, std::int32_t partitions, bool closed) {
  const EngineOptions options = ClosedLog(suite, partitions);
  InAProcess([&] {
    auto engine = OrDie(Engine::Open(options), "open");
    for (std::int32_t i = 0; i < partitions; ++i)
      OrDie(engine->Append({fmt::format("t{}", i / kMany * kMany), PartitionId(i % kMany)}, {&payloads.record(0), 1},
                           {.durability = Durability::kOs}),
            "append");
    if (closed) OrDie(engine->Close(), "close");
    (void)engine.release();
    return 0.0;
  });
  return options;
}

void OpenedWithRecords(Suite& suite, const Payloads& payloads, std::int32_t partitions, double milliseconds_max) {
  for (const bool closed : {true, false}) {
    suite.Compare({fmt::format("{} {} partitions with a record", closed ? "open" : "recover", partitions),
                   "ms",
                   closed ? "Engine::Open of a closed directory, a record of 1 KiB in each partition"
                          : "the same of a directory whose process ended without closing it",
                   Better::kLower,
                   {{{}, milliseconds_max}}},
                  {{"millrace", [&] {
                      const EngineOptions options = LogWithRecords(suite, payloads, partitions, closed);
                      const Stopwatch watch;
                      const auto engine = OrDie(Engine::Open(options), "open");
                      const double milliseconds = watch.milliseconds();
                      OrDie(engine->Close(), "close");
                      return milliseconds;
                    }}});
  }
}

void Idle(Suite& suite) {
  const Row memory{"memory of an idle partition",
                   "KiB",
                   "what Engine::Open of 10,000 partitions adds to the resident set, less that of 1, by 9,999",
                   Better::kLower,
                   {{{}, 8}}};
  const Row processor{"processor of 10,000 idle partitions",
                      "%",
                      "processor time of a process with the open engine, of 20 s in which nobody calls it",
                      Better::kLower,
                      {{{}, 0.1}},
                      Rounds::kOne};
  if (!suite.Wants(memory) && !suite.Wants(processor)) return;
  const auto resident = [&](std::int32_t partitions) {
    const EngineOptions options = ClosedLog(suite, partitions);
    return InAProcess([&] {
      ::malloc_trim(0);  // memory that rows before this one gave back would hide what the engine takes
      const double before = ResidentKib();
      const auto engine = OrDie(Engine::Open(options), "open");
      return ResidentKib() - before;
    });
  };
  suite.Compare(memory, {{"millrace", [&] { return (resident(kMany) - resident(1)) / (kMany - 1); }}});
  suite.Compare(processor, {{"millrace", [&] {
                               const EngineOptions options = ClosedLog(suite, kMany);
                               return InAProcess([&] {
                                 const auto engine = OrDie(Engine::Open(options), "open");
                                 const double before = CpuSeconds();
                                 std::this_thread::sleep_for(kIdle);
                                 return (CpuSeconds() - before) / static_cast<double>(kIdle.count()) * 100;
                               });
                             }}});
}

/// Batches of one record of 1 KiB, in turn; then, with nothing in memory, all of it is uploaded.
struct Uploaded {
  double read_times = 0, cpu_s_per_gb = 0;
};

Uploaded Upload(const Suite& suite, const Payloads& payloads, std::int32_t partitions) {
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  {
    OpenedEngine engine(options, partitions);
    for (std::uint64_t i = 0; i * 1'024 < kUploadBytes; ++i)
      engine.Append(OpenedEngine::Partition(i % static_cast<std::uint64_t>(partitions)), {&payloads.record(i), 1},
                    Durability::kOs);
  }
  options.upload.segment_bytes_max = 64 << 20;
  options.upload.codec = SegmentCodec::kNone;
  const auto engine = OrDie(Engine::Open(options), "open");
  const double before = CpuSeconds();
  OrDie(engine->Upload(), "upload");
  const Uploaded uploaded{static_cast<double>(engine->Stats().wal_read_bytes) / static_cast<double>(kUploadBytes),
                          (CpuSeconds() - before) / static_cast<double>(kUploadBytes) * 1e9};
  OrDie(engine->Close(), "close");
  return uploaded;
}

void Uploads(Suite& suite, const Payloads& payloads) {
  for (const std::int32_t partitions : {1, 64, 512, kMany}) {
    suite.Compare(
        {fmt::format("WAL read to upload {} partitions", partitions),
         "times",
         "bytes read of WAL files by what was appended: 256 MiB in records of 1 KiB, in turn, after a restart",
         Better::kLower,
         {{{}, 1.2}},
         Rounds::kOne},
        {{"millrace", [&] { return Upload(suite, payloads, partitions).read_times; }}});
    suite.Compare({fmt::format("processor to upload {} partitions", partitions),
                   "s/GB",
                   "processor time of Engine::Upload by what was appended; the same; segments not compressed",
                   Better::kLower,
                   {}},
                  {{"millrace", [&] { return Upload(suite, payloads, partitions).cpu_s_per_gb; }}});
  }
}

void Pressure(Suite& suite, const Payloads& payloads) {
  constexpr std::uint64_t kBytes = 100'000'000, kWal = 24 << 20, kSegment = 16 << 20;
  for (const std::int32_t partitions : {1, 64, 1'000}) {
    suite.Compare({fmt::format("objects under pressure, {} partitions", partitions),
                   "objects",
                   "100 MB in records of 1 KiB, in turn, through a WAL of 24 MiB; segments of at most 16 MiB",
                   Better::kLower,
                   {{{}, 2.0 * kBytes / std::min(kSegment, kWal / 2)}},
                   Rounds::kOne},
                  {{"millrace", [&] {
                      EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
                      options.wal_bytes_max = kWal;
                      options.upload.segment_bytes_max = kSegment;
                      OpenedEngine engine(options, partitions);
                      for (std::uint64_t i = 0; i * 1'024 < kBytes; ++i)
                        engine.Append(OpenedEngine::Partition(i % static_cast<std::uint64_t>(partitions)),
                                      {&payloads.record(i), 1}, Durability::kOs);
                      return static_cast<double>(engine->Stats().object_puts);
                    }}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("partitions", argc, argv);
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  Made(suite);
  OpenedAgain(suite, kMany, 500);
  OpenedAgain(suite, kVeryMany, 3'000);
  OpenedWithRecords(suite, payloads, kMany, 500);
  OpenedWithRecords(suite, payloads, kVeryMany, 3'000);
  Idle(suite);
  Uploads(suite, payloads);
  Pressure(suite, payloads);
  return 0;
}
