#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/machine_check.h"
#include "cli/verbs/version.h"
#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "env/system_random.h"
#include "store/open_object_store.h"
#include "store/proxy_check.h"
#include "store/retrying_object_store.h"
#include "store/s3/aws_surroundings.h"
#include "store/s3/s3_object_store.h"
#include "store/store_probe.h"
#include "text/json_writer.h"

namespace millrace {
namespace {

std::string_view LevelName(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "ok";
    case FindingLevel::kWarn:
      return "warn";
    case FindingLevel::kFail:
      return "fail";
  }
  return "";
}

void PrintJson(Session& session, const std::vector<Finding>& findings) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.doctor.v1").Member("version", ProgramVersion());
  json.Key("findings").BeginArray();
  for (const Finding& finding : findings) {
    json.BeginObject().Member("level", LevelName(finding.level)).Member("check", finding.check);
    json.Member("text", finding.text).Member("remedy", finding.remedy).EndObject();
  }
  json.EndArray().EndObject();
  session.out.Write(text + '\n');
}

void PrintLines(Session& session, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    session.out.Write(fmt::format("{:<5}{:<15}{}", LevelName(finding.level), finding.check, finding.text));
    if (!finding.remedy.empty()) session.out.Write(fmt::format(". {}", finding.remedy));
    session.out.Write("\n");
  }
}

Result<StoreProbe> CheckStore(const std::string& url, const std::filesystem::path& data_dir) {
  PosixFileSystem file_system;
  const SystemClock clock;
  SystemRandom random;
  MR_ASSIGN_OR_RETURN(const auto store, OpenObjectStore(url, data_dir, file_system, clock, random));
  RetryingObjectStore retrying(store, {}, clock, random);
  auto* const s3 = dynamic_cast<S3ObjectStore*>(store.get());
  StoreProbe probe =
      ProbeStore(retrying, random, clock, s3, IsSingleWriter(url) ? StoreWriters::kOne : StoreWriters::kMany);
  if (s3 == nullptr) return probe;
  const StoreReached reached = probe.unreachable ? StoreReached::kNo : StoreReached::kYes;
  if (auto proxy = CheckProxy(s3->settings(), AwsSurroundings::OfProcess(), reached))
    probe.findings.push_back(*std::move(proxy));
  return probe;
}

Result<ExitCode> Run(Session& session) {
  const Environment environment = ProcessEnvironment();
  const auto directory = session.arguments.Text("--data-dir").or_else([&] { return environment("MILLRACE_DATA_DIR"); });
  const auto url = session.arguments.Text("--store");
  if (!url && !directory) {
    return Error(ErrorCode::kInvalidArgument, "there is nothing to examine",
                 "Name a store with --store URL, a log's directory "
                 "with --data-dir DIR, or both");
  }
  std::vector<Finding> findings;
  if (directory) findings = CheckMachine(*directory);
  ExitCode code = ExitCode::kOk;
  if (url) {
    MR_ASSIGN_OR_RETURN(StoreProbe probe, CheckStore(*url, directory.value_or(".")));
    std::ranges::move(probe.findings, std::back_inserter(findings));
    if (probe.unreachable) code = ExitCodeOf(probe.unreachable->code());
  }
  const bool failed = std::ranges::any_of(findings, [](const auto& one) { return one.level == FindingLevel::kFail; });
  if (failed && code == ExitCode::kOk) code = ExitCode::kDifferent;
  if (session.arguments.Has("--json")) {
    PrintJson(session, findings);
  } else {
    PrintLines(session, findings);
  }
  return code;
}

}  // namespace

Command DoctorCommand() {
  return {
      .words = "doctor",
      .summary = "Find out whether a store and this machine do what a log needs",
      .flags =
          {
              {"--store", "URL", "examine this object store: s3://BUCKET/PREFIX, file:///PATH"},
              {"--data-dir", "DIR", "examine the disk and the limits under this directory (MILLRACE_DATA_DIR)"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "Each line is ok, warn or fail, with what follows and what to do. A store is examined by some twenty small "
          "requests under keys of their own, which are removed again. Exit 0 if nothing failed, 6 if the store "
          "cannot be reached, 8 if it lacks something.",
      .examples = {"millrace doctor --store 's3://logs/prod?region=eu-central-1'",
                   "millrace doctor --data-dir ./log --store 's3://logs?endpoint=http://localhost:9000' --json"},
      .run = Run,
  };
}

}  // namespace millrace
