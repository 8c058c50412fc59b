#include "cli/data_location.h"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "cli/units.h"
#include "engine/data_layout.h"

namespace millrace {
namespace {

constexpr std::string_view kNameDirectory = "Name the log's directory with --data-dir DIR or MILLRACE_DATA_DIR.";

Error NoServerYet(std::string_view server) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("cannot go through a server yet ({})", server),
               std::string(kNameDirectory));
}

Error BothGiven(std::string_view first, std::string_view second) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} and {} are both given", first, second),
               "A log is reached through its directory or through a server: keep one of them.");
}

Result<std::string> LocateDirectory(const Arguments& arguments, const Environment& environment) {
  auto directory = arguments.Text("--data-dir");
  auto server = arguments.Text("--server");
  if (directory && server) return BothGiven("--data-dir", "--server");
  if (!directory && !server) {
    directory = environment("MILLRACE_DATA_DIR");
    server = environment("MILLRACE_SERVER");
    if (directory && server) return BothGiven("MILLRACE_DATA_DIR", "MILLRACE_SERVER");
  }
  if (server) return NoServerYet(*server);
  if (!directory) return Error(ErrorCode::kInvalidArgument, "no log is named", std::string(kNameDirectory));
  if (directory->empty()) {
    return Error(ErrorCode::kInvalidArgument, "the data directory is empty text", std::string(kNameDirectory));
  }
  return *directory;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

std::optional<SyncPolicy> ParseSyncPolicy(std::string_view text) {
  if (text == "each") return SyncPolicy::Each();
  if (text == "none") return SyncPolicy::None();
  constexpr std::string_view kInterval = "interval:";
  if (!text.starts_with(kInterval)) return std::nullopt;
  auto interval = ParseDuration(text.substr(kInterval.size()));
  if (!interval || interval->count() <= 0) return std::nullopt;
  return SyncPolicy::Interval(*interval);
}

Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment) {
  EngineOptions options;
  MR_ASSIGN_OR_RETURN(options.data_dir, LocateDirectory(arguments, environment));
  options.object_store = arguments.Text("--store").value_or(options.object_store);
  options.metadata_store = arguments.Text("--metadata").value_or(options.metadata_store);
  options.name_space = arguments.Text("--name-space").value_or("");
  if (auto text = arguments.Text("--sync")) {
    auto policy = ParseSyncPolicy(*text);
    if (!policy) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("--sync takes each, interval:5ms or none, not \"{}\"", *text));
    }
    options.sync = *policy;
  }
  return options;
}

Result<std::unique_ptr<Engine>> OpenEngine(const Arguments& arguments, Creation creation) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(arguments, ProcessEnvironment()));
  return OpenEngine(std::move(options), creation);
}

Result<std::unique_ptr<Engine>> OpenEngine(EngineOptions options, Creation creation) {
  std::string directory = options.data_dir.string();
  options.create_if_missing = creation == Creation::kIfMissing;
  std::error_code ignored;
  if (!options.create_if_missing && !std::filesystem::exists(DataLayout::Of(options).marker, ignored)) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", directory),
                 "`millrace topic create` and `millrace produce` make one.");
  }
  auto engine = Engine::Open(std::move(options));
  if (engine) return engine;
  Error error = engine.error();
  if (!error.message().starts_with("cannot open")) error = error.WithContext(fmt::format("cannot open {}", directory));
  if (error.code() == ErrorCode::kUnavailable && error.hint().empty()) {
    return error.WithHint("One process owns a data directory: stop that one, or wait until it ends.");
  }
  return error;
}

}  // namespace millrace
