#include "cli/verbs/serving.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/parse/engine_settings.h"
#include "cli/verbs/version.h"
#include "engine/data_layout.h"
#include "engine/engine_marker.h"
#include "env/posix_file_system.h"
#include "millrace/server.h"
#include "text/units.h"

namespace millrace {
namespace {

constexpr std::size_t kClusterIdLetters = 22;

/// Stable: of the log itself.
std::string ClusterIdOf(const EngineOptions& options) {
  PosixFileSystem file_system;
  const auto identity = ReadEngineMarker(file_system, DataLayout::Of(options).marker);
  if (!identity || !*identity) return {};
  return (*identity)->substr(0, kClusterIdLetters);
}

std::string_view DurabilityInWords(const SyncPolicy& sync) {
  switch (sync.kind) {
    case SyncPolicy::Kind::kEach:
      return "acks=all: synced to this disk before the reply; acks=1: in the operating system";
    case SyncPolicy::Kind::kInterval:
      return "acks=all: synced to this disk before the reply; acks=1: synced some time later";
    case SyncPolicy::Kind::kNone:
      break;
  }
  return "acks=all: synced to this disk before the reply; acks=1: never synced by itself";
}

std::string Banner(const EngineOptions& engine, const ServerOptions& options, const Server& server) {
  std::string text = fmt::format("millrace {}\n", ProgramVersion());
  text += fmt::format("  data        {}\n", engine.data_dir.string());
  text += fmt::format("  store       {}{}\n", engine.object_store,
                      engine.object_store == "file:" ? " (in the data directory: both lie on one disk)" : "");
  text += fmt::format("  metadata    {}\n", engine.metadata_store);
  text += fmt::format("  durability  {}\n", DurabilityInWords(engine.sync));
  for (const ServerAddress& address : server.addresses())
    text += fmt::format("  listening   {}, plaintext, no authentication\n", address.Text());
  text += fmt::format("  advertised  {}\n", server.advertised().Text());
  text += fmt::format("  limits      {} connections, {} from one address; requests of {}, {} in flight\n",
                      options.connections_max, options.connections_per_address_max,
                      FormatBytes(options.request_bytes_max), FormatBytes(options.in_flight_bytes_max));
  if (options.plaintext_beyond_loopback)
    text += "  warning     every client that reaches these addresses may read and write everything\n";
  if (options.auto_create_topics) text += "  topics      are created by clients that ask for them\n";
  text += fmt::format("  try         echo hello | kcat -b {} -t demo -P\n", server.advertised().Text());
  text += "ready\n";
  return text;
}

void AwaitStop(const Interrupt& interrupt) {
  pollfd entry{interrupt.descriptor(), POLLIN, 0};
  while (!interrupt.Stopped()) (void)::poll(&entry, 1, -1);
}

/// From any thread: one write of a line, past the buffer of the verb's thread.
void TellLine(std::string_view text) {
  std::string line("millrace: ");
  line.append(text).append("\n");
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

std::vector<Flag> ServingFlags() {
  return {
      {"--listen", "HOST:PORT", "where Kafka clients connect (default localhost:9092)", {}, Repeat::kMany},
      {"--advertise", "HOST:PORT", "what clients are told to connect to (default: the first --listen)"},
      {"--plaintext-beyond-loopback", "", "serve other machines too, without encryption and authentication"},
      {"--json", "", "errors are JSON"},
  };
}

Result<void> TakeServingFlags(const Arguments& arguments, Configuration& configuration) {
  ServerOptions& server = configuration.server;
  if (arguments.Has("--listen")) server.listen.clear();
  for (const std::string& text : arguments.All("--listen")) {
    const auto address = ServerAddress::Parse(text);
    if (!address) return Error(ErrorCode::kInvalidArgument, fmt::format("--listen takes HOST:PORT, not \"{}\"", text));
    server.listen.push_back(*address);
  }
  if (const auto text = arguments.Text("--advertise")) {
    server.advertise = ServerAddress::Parse(*text);
    if (!server.advertise)
      return Error(ErrorCode::kInvalidArgument, fmt::format("--advertise takes HOST:PORT, not \"{}\"", *text));
  }
  if (arguments.Has("--plaintext-beyond-loopback")) server.plaintext_beyond_loopback = true;
  return {};
}

Result<ExitCode> ServeUntilStopped(Session& session, Configuration configuration) {
  constexpr std::chrono::seconds kSyncAndClose{20};  // beside what the requests in flight are given
  session.interrupt.ObeyTermination();
  session.interrupt.AllowGrace(configuration.server.stop_grace + kSyncAndClose);
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, configuration.options, Creation::kIfMissing));
  ServerOptions options = std::move(configuration.server);
  options.cluster_id = ClusterIdOf(configuration.options);
  configuration.options.object_store = engine->Stats().object_store;
  options.on_log = TellLine;
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(*engine, options));
  session.err.Write(Banner(configuration.options, options, *server));
  session.err.Flush();
  AwaitStop(session.interrupt);
  session.Note("stopping");
  server->Stop();
  MR_TRY(engine->Close());
  session.Note("stopped; everything acknowledged is where it was said to be");
  return session.interrupt.Terminated() ? ExitCode::kOk : ExitCode::kInterrupted;
}

}  // namespace millrace
