#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "cli/interrupt.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/pacing.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/machine.h"
#include "cli/verbs/workload.h"
#include "env/temporary_directory.h"
#include "kafka/topic_settings.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

Result<WorkloadOptions> OptionsOf(const Arguments& arguments) {
  WorkloadOptions options;
  MR_ASSIGN_OR_RETURN(auto size, arguments.Size("--size"));
  if (size) options.record_bytes = static_cast<std::size_t>(*size);
  if (options.record_bytes < 8 || options.record_bytes > 1 << 20) {
    return Error(ErrorCode::kInvalidArgument, "--size takes 8 bytes to 1 MiB");
  }
  MR_ASSIGN_OR_RETURN(auto threads, arguments.Integer("--threads", {1, 1024}));
  if (threads) options.threads = static_cast<unsigned>(*threads);
  MR_ASSIGN_OR_RETURN(auto batch, arguments.Integer("--batch", {1, 100'000}));
  if (batch) options.batch_records = static_cast<std::size_t>(*batch);
  MR_ASSIGN_OR_RETURN(auto seconds, arguments.Integer("--seconds", {1, 86'400}));
  if (seconds) options.seconds = static_cast<double>(*seconds);
  MR_ASSIGN_OR_RETURN(auto seed, arguments.Integer("--seed", {}));
  if (seed) options.seed = static_cast<std::uint64_t>(*seed);
  if (auto acks = arguments.Text("--acks")) {
    MR_ASSIGN_OR_RETURN(options.durability, ParseDurability("--acks", *acks));
  }
  if (auto rate = arguments.Text("--rate")) {
    options.rate = ParseRate(*rate);
    if (!options.rate) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("--rate takes operations a second, not \"{}\"", *rate));
    }
  }
  return options;
}

std::string JsonReport(std::string_view workload, const WorkloadOptions& options, const WorkloadResult& result,
                       const Machine& machine, std::string_view io_path) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.bench.v1").Key("workload").BeginObject().Member("name", workload);
  json.Member("record_bytes", options.record_bytes).Member("batch_records", options.batch_records);
  json.Member("threads", options.threads).Member("seconds", options.seconds).Member("seed", options.seed);
  json.Member("durability", DurabilityName(options.durability));
  if (options.rate) json.Member("rate_per_second", *options.rate);
  json.EndObject().Member("operations", result.operations).Member("records", result.records);
  json.Member("bytes", result.bytes).Member("seconds", result.seconds);
  json.Member("records_per_second", static_cast<double>(result.records) / result.seconds);
  json.Member("bytes_per_second", static_cast<double>(result.bytes) / result.seconds);
  json.Key("latency_ns").BeginObject();
  json.Member("p50", result.latency_ns.Percentile(50)).Member("p99", result.latency_ns.Percentile(99));
  json.Member("p99_9", result.latency_ns.Percentile(99.9)).Member("max", result.latency_ns.max()).EndObject();
  json.Key("machine").BeginObject().Member("cpu", machine.cpu).Member("cores", machine.cores);
  json.Member("memory_bytes", machine.memory_bytes).Member("kernel", machine.kernel);
  json.Member("file_system", machine.file_system).Member("io_path", io_path).EndObject().EndObject();
  return text + '\n';
}

std::string TextReport(std::string_view workload, const WorkloadOptions& options, const WorkloadResult& result,
                       const Machine& machine, std::string_view io_path) {
  std::string rate = options.rate ? fmt::format("{}/s, open loop", *options.rate) : "closed loop";
  auto time = [&](double percent) { return FormatNanoseconds(result.latency_ns.Percentile(percent)); };
  auto per_second = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(static_cast<double>(count) / result.seconds);
  };
  return fmt::format(
      "workload   {}: {} records of {} bytes an operation, {} threads, {}, {}, seed {}\n"
      "machine    {}, {} cores, {}, Linux {}, {}; WAL by {}\n"
      "done       {} operations, {} records in {:.2f} s\n"
      "rate       {} records/s, {}/s\n"
      "latency    p50 {}  p99 {}  p99.9 {}  max {}\n",
      workload, options.batch_records, options.record_bytes, options.threads, rate, DurabilityName(options.durability),
      options.seed, machine.cpu, machine.cores, FormatBytes(machine.memory_bytes), machine.kernel, machine.file_system,
      io_path, FormatCount(result.operations), FormatCount(result.records), result.seconds,
      FormatCount(per_second(result.records)), FormatBytes(per_second(result.bytes)), time(50), time(99), time(99.9),
      FormatNanoseconds(result.latency_ns.max()));
}

Result<ExitCode> Run(Session& session) {
  std::string workload = session.arguments.Positional("WORKLOAD");
  auto run = workload == "append" ? RunAppend
             : workload == "read" ? RunRead
             : workload == "e2e"  ? RunEndToEnd
                                  : nullptr;
  if (run == nullptr) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("bench knows append, read and e2e, not \"{}\"", workload));
  }
  MR_ASSIGN_OR_RETURN(WorkloadOptions options, OptionsOf(session.arguments));
  MR_ASSIGN_OR_RETURN(EngineOptions engine_options, LocateEngine(session.arguments, ProcessEnvironment()));
  session.interrupt.AllowGrace();
  // A log of its own inside the directory the user named.
  MR_ASSIGN_OR_RETURN(const TemporaryDirectory scratch, TemporaryDirectory::In(engine_options.data_dir));
  engine_options.data_dir = scratch.path();
  Machine machine = DescribeMachine(scratch.path());
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                      OpenEngine(session, std::move(engine_options), Creation::kIfMissing));
  WorkloadResult result;
  MR_TRY(run(*engine, options, session.interrupt, result));
  std::string io_path = engine->Stats().io_path;
  MR_TRY(engine->Close());
  bool json = session.arguments.Has("--json");
  session.out.Write((json ? JsonReport : TextReport)(workload, options, result, machine, io_path));
  return session.interrupt.Raised() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace

Command BenchCommand() {
  return {
      .words = "bench",
      .summary = "Measure appends, reads, or the way from one to the other, on this machine",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"WORKLOAD", "append, read or e2e"}},
      .flags =
          {
              {"--size", "BYTES", "of a record (default 1024)"},
              {"--batch", "N", "records an append (default 1)"},
              {"--threads", "N", "each with one operation at a time (default 1)"},
              {"--rate", "N/s",
               "operations over all threads, each timed from the moment it was due (default: no pause)"},
              {"--seconds", "N", "how long (default 5)"},
              {"--seed", "N", "of the records' content (default 1)"},
              {"--acks", "LEVEL", "durability of an append (default disk)", {"os", "disk", "object"}},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "Works in a log of its own, made in the directory and removed at the end; what is there stays untouched.",
      .examples = {"millrace bench append --data-dir ./log --threads 10 --rate 20000/s --seconds 10"},
      .run = Run,
  };
}

}  // namespace millrace
