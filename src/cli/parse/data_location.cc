#include "cli/parse/data_location.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "client/local_log.h"
#include "client/remote_log.h"
#include "engine/data_layout.h"

namespace millrace {
namespace {

constexpr std::string_view kNameDirectory =
    "Name the log's directory with --data-dir DIR or MILLRACE_DATA_DIR. A server, by --server HOST:PORT or "
    "MILLRACE_SERVER, is for topic create, ls, describe, add-partitions and rm, for produce, consume and tail.";
constexpr const char* kServerByDefault = "localhost:9092";

// Settings of a log in a directory.
constexpr std::string_view kDirectoryFlags[] = {"--store",      "--metadata",  "--sync",
                                                "--name-space", "--read-only", "--wait"};

Error BothGiven(std::string_view first, std::string_view second) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} and {} are both given", first, second),
               "A log is reached through its directory or through a server: keep one of them.");
}

Error NeedsFiles(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} works on the files of a log: use --data-dir", what),
               std::string(kNameDirectory));
}

Error NothingNamed() { return Error(ErrorCode::kInvalidArgument, "no log is named", std::string(kNameDirectory)); }

/// The server, as it was written, or none. kInvalidArgument: a directory is named, too.
Result<std::optional<std::string>> ServerNamed(const Arguments& arguments, const Environment& environment,
                                               const Configuration& configuration) {
  auto server = arguments.Text("--server");
  if (arguments.Has("--data-dir") && server) return BothGiven("--data-dir", "--server");
  if (server) return server;
  const std::string_view origin = configuration.OriginOf("engine.data_dir");
  if (!origin.starts_with("--")) {
    auto server_variable = environment("MILLRACE_SERVER");
    if (server_variable && origin == "MILLRACE_DATA_DIR") return BothGiven(origin, "MILLRACE_SERVER");
    if (server_variable) return server_variable;
  }
  return std::optional<std::string>();
}

Result<client::Address> ServerAddressOf(const Arguments& arguments, const std::string& text) {
  for (const std::string_view flag : kDirectoryFlags) {
    if (arguments.Has(flag))
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{} is for a log in a directory, and a server is named ({})", flag, text));
  }
  const auto address = client::Address::Parse(text);
  if (address) return *address;
  return Error(ErrorCode::kInvalidArgument, fmt::format("a server is HOST:PORT or HOST, not \"{}\"", text),
               "As in --server localhost:9092, or [::1]:9092.");
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

/// Only its object store is named.
bool IsFollowed(const EngineOptions& options) {
  return options.read_only && options.data_dir.empty() && !options.object_store.empty();
}

/// Where a log that another process holds can be read.
std::string HintOf(const EngineOptions& options) {
  std::string hint =
      "One process owns a data directory: stop that one, or wait for it with --wait 30s, as every verb can; `wal ls`, "
      "`wal verify` and `inspect` work beside it, and a `millrace serve` is reached with --server.";
  std::ifstream file(DataLayout::Of(options).home);
  std::string store;
  if (std::getline(file, store) && !store.empty())
    hint +=
        fmt::format(" What it has uploaded is read beside it with --read-only --store '{}' and no --data-dir.", store);
  return hint;
}

/// What befalls a log while it is opened and used, and is no call's outcome, is a line of its own.
void TellEvent(const Event& event) {
  const bool told = event.kind == EventKind::kPositionCorrected || event.kind == EventKind::kClockDoubted ||
                    event.kind == EventKind::kCacheDisabled || event.kind == EventKind::kLogFenced ||
                    event.kind == EventKind::kFollowFailing;
  if (!told) return;
  // From any thread: one write, past the buffer of the thread that writes to standard error.
  const std::string line = "millrace: " + event.message + '\n';
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

Result<LogPlace> LocateLog(const Arguments& arguments, const Environment& environment) {
  if (arguments.Text("--data-dir") == "") {
    return Error(ErrorCode::kInvalidArgument, "the data directory is empty text", std::string(kNameDirectory));
  }
  MR_ASSIGN_OR_RETURN(Configuration configuration, Configure(arguments, environment));
  MR_ASSIGN_OR_RETURN(const auto server, ServerNamed(arguments, environment, configuration));
  const bool by_flags = arguments.Has("--store") && arguments.Has("--read-only") && !arguments.Has("--data-dir");
  LogPlace place{.server = {}, .by_default = false, .options = std::move(configuration.options)};
  if (by_flags) place.options.data_dir.clear();  // the flags name the log, whatever the environment names
  place.by_default = !server && place.options.data_dir.empty() && !IsFollowed(place.options);
  if (place.by_default &&
      std::ranges::any_of(kDirectoryFlags, [&](std::string_view flag) { return arguments.Has(flag); }))
    return NothingNamed();
  if (server || place.by_default) {
    MR_ASSIGN_OR_RETURN(place.server, ServerAddressOf(arguments, server.value_or(kServerByDefault)));
  }
  return place;
}

Result<EngineOptions> LocateReadable(const Arguments& arguments, const Environment& environment) {
  MR_ASSIGN_OR_RETURN(LogPlace place, LocateLog(arguments, environment));
  if (place.by_default) return NothingNamed();
  if (place.server) return NeedsFiles(arguments.verb().empty() ? "this verb" : arguments.verb());
  return std::move(place.options);
}

Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateReadable(arguments, environment));
  if (options.data_dir.empty()) return NothingNamed();
  return options;
}

Result<void> CloseEngine(Engine& engine) { return LocalLog(engine).Close(Closing::kAfterUpkeep); }

Result<std::unique_ptr<Log>> OpenLog(const Session& session, Creation creation,
                                     std::initializer_list<std::string_view> engine_flags) {
  MR_ASSIGN_OR_RETURN(LogPlace place, LocateLog(session.arguments, ProcessEnvironment()));
  if (!place.server) {
    const AppendBounds bounds{place.options.record_bytes_max, place.options.batch_bytes_max};
    MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, std::move(place.options), creation));
    return std::unique_ptr<Log>(std::make_unique<LocalLog>(std::move(engine), bounds));
  }
  for (const std::string_view flag : engine_flags)
    if (session.arguments.Has(flag)) return NeedsFiles(flag);
  auto log = RemoteLog::Open({.address = *place.server});
  if (log) return std::unique_ptr<Log>(*std::move(log));
  if (!place.by_default) return log.error();
  return log.error().WithContext("no log is named, so its server is tried").WithHint(std::string(kNameDirectory));
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, Creation creation) {
  MR_ASSIGN_OR_RETURN(EngineOptions options, LocateReadable(session.arguments, ProcessEnvironment()));
  return OpenEngine(session, std::move(options), creation);
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, EngineOptions options, Creation creation) {
  MR_ASSIGN_OR_RETURN(const auto wait, session.arguments.Duration("--wait"));
  const bool followed = IsFollowed(options);
  std::string directory = followed ? options.object_store : options.data_dir.string();
  options.create_if_missing = creation == Creation::kIfMissing;
  options.on_event = TellEvent;
  std::error_code ignored;
  if (!options.create_if_missing && !followed && !std::filesystem::exists(DataLayout::Of(options).marker, ignored)) {
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
  return error.WithHint(HintOf(options));
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
