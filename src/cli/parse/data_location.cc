#include "cli/parse/data_location.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "engine/data_layout.h"
#include "millrace/request_scope.h"

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

/// Through which of both the log is reached; kInvalidArgument unless it is a directory.
Result<void> CheckPlace(const Arguments& arguments, const Environment& environment,
                        const Configuration& configuration) {
  const auto server = arguments.Text("--server");
  if (arguments.Has("--data-dir") && server) return BothGiven("--data-dir", "--server");
  if (server) return NoServerYet(*server);
  const std::string& directory = configuration.options.data_dir.native();
  const std::string_view origin = configuration.OriginOf("engine.data_dir");
  if (!origin.starts_with("--")) {
    const auto server_variable = environment("MILLRACE_SERVER");
    if (server_variable && origin == "MILLRACE_DATA_DIR") return BothGiven(origin, "MILLRACE_SERVER");
    if (server_variable) return NoServerYet(*server_variable);
  }
  if (directory.empty()) return Error(ErrorCode::kInvalidArgument, "no log is named", std::string(kNameDirectory));
  return {};
}

bool IsHeld(const Error& error) {
  return error.code() == ErrorCode::kUnavailable && error.message().contains(" is held by ");
}

/// Where nothing can be written, a log can still be read; a verb that changes it is refused by the engine.
bool MayBeReadOnly(const Error& error, const EngineOptions& options) {
  return error.code() == ErrorCode::kPermissionDenied && !options.create_if_missing &&
         options.metadata_store != "memory:";
}

/// Asks again until no process holds the lock, the time is over, or the user interrupts.
Result<std::unique_ptr<Engine>> OpenWithin(const Session& session, const EngineOptions& options,
                                           std::chrono::milliseconds wait) {
  constexpr std::chrono::milliseconds kPause{50};
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    auto engine = Engine::Open(options);
    if (engine || !IsHeld(engine.error()) || std::chrono::steady_clock::now() - begin >= wait) return engine;
    pollfd entry{session.interrupt.descriptor(), POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(kPause.count()));
    if (session.interrupt.Stopped())
      return Error(ErrorCode::kClosed, fmt::format("interrupted; {}", engine.error().message()));
  }
}

/// What befalls a log while it is opened and used, and is no call's outcome, is a line of its own.
void TellEvent(const Event& event) {
  const bool told = event.kind == EventKind::kPositionCorrected || event.kind == EventKind::kClockDoubted ||
                    event.kind == EventKind::kCacheDisabled;
  if (!told) return;
  // From any thread: one write, past the buffer of the thread that writes to standard error.
  const std::string line = "millrace: " + event.message + '\n';
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment) {
  if (arguments.Text("--data-dir") == "") {
    return Error(ErrorCode::kInvalidArgument, "the data directory is empty text", std::string(kNameDirectory));
  }
  MR_ASSIGN_OR_RETURN(Configuration configuration, Configure(arguments, environment));
  MR_TRY(CheckPlace(arguments, environment, configuration));
  return std::move(configuration.options);
}

Result<void> CloseEngine(Engine& engine) {
  constexpr std::chrono::milliseconds kUpkeep{100};
  // Who interrupts waits for nothing more.
  if (!RequestScope::Current().stop.stop_requested()) {
    [[maybe_unused]] const auto told_by_status = engine.Maintain(kUpkeep);
  }
  return engine.Close();
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, Creation creation) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(session.arguments, ProcessEnvironment()));
  return OpenEngine(session, std::move(options), creation);
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, EngineOptions options, Creation creation) {
  MR_ASSIGN_OR_RETURN(const auto wait, session.arguments.Duration("--wait"));
  std::string directory = options.data_dir.string();
  options.create_if_missing = creation == Creation::kIfMissing;
  options.on_event = TellEvent;
  std::error_code ignored;
  if (!options.create_if_missing && !std::filesystem::exists(DataLayout::Of(options).marker, ignored)) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", directory),
                 "`millrace topic create` and `millrace produce` make one.");
  }
  auto engine = OpenWithin(session, options, wait.value_or(std::chrono::milliseconds(0)));
  if (!engine && MayBeReadOnly(engine.error(), options)) {
    options.read_only = true;
    engine = OpenWithin(session, options, wait.value_or(std::chrono::milliseconds(0)));
  }
  if (engine) return engine;
  Error error = engine.error();
  const bool held = IsHeld(error);
  if (!error.message().starts_with("cannot open")) error = error.WithContext(fmt::format("cannot open {}", directory));
  if (!held) return error;
  return error.WithHint(
      "One process owns a data directory: stop that one, or wait for it with --wait 30s, as every verb can; `wal ls`, "
      "`wal verify` and `inspect` work beside it.");
}

Result<std::filesystem::path> FindWalDirectory(const Arguments& arguments) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateEngine(arguments, ProcessEnvironment()));
  std::filesystem::path directory = DataLayout::Of(options).wal;
  std::error_code ignored;
  if (std::filesystem::is_directory(directory, ignored)) return directory;
  return Error(ErrorCode::kNotFound, fmt::format("there is no write-ahead log at {}", directory.string()),
               "`millrace topic create` and `millrace produce` make a log.");
}

}  // namespace millrace
