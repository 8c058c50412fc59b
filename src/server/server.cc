#include "millrace/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/mutex.h"
#include "base/try.h"
#include "engine/group_access.h"
#include "engine/partition_access.h"
#include "env/system_random.h"
#include "env/thread_pool.h"
#include "server/server_loop.h"

namespace millrace {
namespace {

constexpr std::size_t kFramesKept = 32 << 20;
// Fetch sessions of all loops together: as many as Kafka keeps, as long as there is room for what they follow.
constexpr std::size_t kFetchSessionsMax = 1'000;
constexpr std::uint64_t kFetchSessionBytesMax = 64 << 20;
constexpr std::size_t kAdminThreads = 2;
// A fetch submits a few reads at a time, and a connection one fetch: no queue of them is longer.
constexpr std::size_t kQueuedPerConnection = 16;

Error Wrong(std::string message, std::string hint = {}) {
  return {ErrorCode::kInvalidArgument, std::move(message), std::move(hint)};
}

Result<void> CheckNumbers(const ServerOptions& options) {
  constexpr std::uint64_t kShareMin = 64 << 10;
  if (options.listen.empty()) return Wrong("there is no address to listen on");
  if (options.loops < 1 || options.loops > 64) return Wrong("server.loops is 1 to 64");
  if (options.cold_threads < 1 || options.cold_threads > 1'024) return Wrong("server.cold_threads is 1 to 1024");
  if (options.node_id < 1) return Wrong("server.node_id is at least 1");
  if (options.connections_max < 1 || options.connections_max > 1'000'000)
    return Wrong("server.connections_max is 1 to 1000000");
  if (options.connections_per_address_max < 1) return Wrong("server.connections_per_address_max is at least 1");
  if (options.request_bytes_max < (64 << 10) || options.request_bytes_max > (1u << 30))
    return Wrong("server.request_bytes_max is 64KiB to 1GiB");
  if (options.connection_bytes_max < kShareMin) return Wrong("server.connection_bytes_max is at least 64KiB");
  if (options.in_flight_bytes_max < 2ull * options.request_bytes_max)
    return Wrong("server.in_flight_bytes_max is at least twice server.request_bytes_max");
  if (options.fetch_bytes_max < 1 || options.cold_bytes_max < options.fetch_bytes_max)
    return Wrong("server.cold_bytes_max is at least server.fetch_bytes_max");
  if (options.group_initial_delay.count() < 0 || options.group_initial_delay > std::chrono::minutes(5))
    return Wrong("server.group_initial_delay is 0 to 5 min");
  if (options.topic_defaults.partitions < 1) return Wrong("server.partitions_default is at least 1");
  for (const auto time : {options.idle_timeout, options.handshake_timeout, options.progress_timeout}) {
    if (time.count() < 1 || time > std::chrono::hours(24 * 365))
      return Wrong("a timeout of the server is 1 ms to a year");
  }
  return {};
}

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

/// What clients are told, if it has an address. The port is set once it is known.
Result<ServerAddress> ChooseAdvertised(const ServerOptions& options) {
  ServerAddress chosen = options.advertise.value_or(options.listen.front());
  if (!options.advertise && IsWildcard(chosen)) chosen.host = HostName();
  const auto resolved = Resolve(chosen);
  if (resolved && !IsWildcard(chosen)) return chosen;
  return Wrong(fmt::format("clients would be told to connect to {}, {}", chosen.Text(),
                           resolved ? "which is no machine's address" : "a name without an address"),
               "Name an address that they reach with --advertise HOST:PORT.");
}

Result<std::vector<SocketAddress>> ResolveListen(const ServerOptions& options, const ServerAddress& address) {
  MR_ASSIGN_OR_RETURN(std::vector<SocketAddress> resolved, Resolve(address));
  const bool beyond = std::ranges::any_of(resolved, [](const SocketAddress& one) { return !one.is_loopback(); });
  if (!beyond || options.plaintext_beyond_loopback) return resolved;
  return Wrong(fmt::format("{} is reached from other machines, and there is neither encryption nor authentication yet",
                           address.Text()),
               "Listen on localhost, or accept that with --plaintext-beyond-loopback.");
}

std::string NewClusterId() {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  SystemRandom random;
  std::string id;
  for (int i = 0; i < 22; ++i) id += kLetters[random.Next() % kLetters.size()];
  return id;
}

}  // namespace

struct Server::State {
  State(Engine& an_engine, ServerOptions some)
      : engine(an_engine),
        options(std::move(some)),
        in_flight(options.in_flight_bytes_max),
        cold_bytes(options.cold_bytes_max),
        frames(kFramesKept),
        counts(options.connections_max, options.connections_per_address_max),
        log(std::make_unique<PartitionAccess>(an_engine)),
        group_access(std::make_unique<GroupAccess>(an_engine)) {}

  Result<void> StartPools();
  Result<void> Bind(const ServerAddress& address);
  Result<void> StartLoops();
  void LoadGroups();
  void Accept(int socket, const SocketAddress& peer);
  void Stop() MR_EXCLUDES(mutex);
  void Tell(std::string_view line) const {
    if (options.on_log) options.on_log(line);
  }

  Engine& engine;
  ServerOptions options;
  ServerAddress advertised;
  std::vector<ServerAddress> addresses;
  ByteBudget in_flight, cold_bytes, session_bytes{kFetchSessionBytesMax};
  FramePool frames;
  ConnectionCounts counts;
  std::unique_ptr<PartitionAccess> log;
  std::unique_ptr<GroupAccess> group_access;
  SystemRandom random;
  std::unique_ptr<ThreadPool> admin, cold;
  std::unique_ptr<ThreadPool> group_writer;  // a thread of its own: no commit waits for a topic that is changed
  std::unique_ptr<GroupDesk> groups;         // lives on the first loop
  std::unique_ptr<SharedByLoops> shared;
  std::vector<int> sockets;  // bound, and not a loop's yet
  std::vector<std::unique_ptr<ServerLoop>> loops;
  std::size_t next_loop = 0;  // of the accepting loop's thread

  Mutex mutex;
  CondVar emptied;
  std::size_t full_loops MR_GUARDED_BY(mutex) = 0;
  bool stopped MR_GUARDED_BY(mutex) = false;
};

Result<void> Server::State::StartPools() {
  const std::size_t queue = kQueuedPerConnection * (options.connections_max + 1);
  MR_ASSIGN_OR_RETURN(admin, ThreadPool::Start({.threads = kAdminThreads, .queue_max = queue}));
  MR_ASSIGN_OR_RETURN(cold, ThreadPool::Start({.threads = options.cold_threads, .queue_max = queue}));
  MR_ASSIGN_OR_RETURN(group_writer, ThreadPool::Start({.threads = 1, .queue_max = 4}));
  return {};
}

Result<void> Server::State::Bind(const ServerAddress& address) {
  MR_ASSIGN_OR_RETURN(std::vector<SocketAddress> resolved, ResolveListen(options, address));
  std::uint16_t port = address.port;
  bool bound = false;
  for (SocketAddress& one : resolved) {
    one.SetPort(port);
    auto socket = BindSocket(one);
    if (!socket) {
      // A machine without IPv6 has the name localhost all the same.
      if (one.storage.ss_family == AF_INET6 && bound && socket.error().hint().empty()) continue;
      return socket.error();
    }
    bound = true;
    sockets.push_back(*socket);
    const SocketAddress local = LocalAddress(*socket);
    port = local.port();
    addresses.push_back({local.Host(), local.port()});
  }
  if (!bound) return Wrong(fmt::format("{} has no address to listen on", address.Text()));
  return {};
}

Result<void> Server::State::StartLoops() {
  BrokerSettings broker{.node_id = options.node_id,
                        .cluster_id = options.cluster_id.empty() ? NewClusterId() : options.cluster_id,
                        .host = advertised.host,
                        .port = advertised.port,
                        .auto_create_topics = options.auto_create_topics,
                        .topic_defaults = options.topic_defaults,
                        .batch_bytes_max = options.batch_bytes_max,
                        .fetch_bytes_max = options.fetch_bytes_max,
                        .fetch_sessions_max = std::max<std::size_t>(kFetchSessionsMax / options.loops, 1)};
  std::vector<std::unique_ptr<EventLoop>> events;
  for (std::uint32_t i = 0; i < options.loops; ++i) {
    MR_ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> opened, EventLoop::Open());
    events.push_back(std::move(opened));
  }
  groups = std::make_unique<GroupDesk>(GroupDesk::Parts{.access = *group_access,
                                                        .home = *events.front(),
                                                        .pool = *group_writer,
                                                        .random = random,
                                                        .tell = [this](std::string_view line) { Tell(line); }},
                                       GroupSettings{.initial_delay = options.group_initial_delay});
  shared = std::make_unique<SharedByLoops>(SharedByLoops{
      .engine = engine,
      .log = *log,
      .admin = *admin,
      .cold = *cold,
      .in_flight = in_flight,
      .cold_bytes = cold_bytes,
      .session_bytes = session_bytes,
      .groups = *groups,
      .frames = frames,
      .counts = counts,
      .broker = std::move(broker),
      .connection = {.request_bytes_max = options.request_bytes_max, .bytes_max = options.connection_bytes_max},
      .timeouts = {.handshake = options.handshake_timeout,
                   .progress = options.progress_timeout,
                   .idle = options.idle_timeout},
      .tell = [this](std::string_view line) { Tell(line); }});
  for (std::unique_ptr<EventLoop>& each : events) {
    MR_ASSIGN_OR_RETURN(std::unique_ptr<ServerLoop> loop, ServerLoop::Start(*shared, std::move(each)));
    loops.push_back(std::move(loop));
  }
  LoadGroups();
  for (const int socket : std::exchange(sockets, {}))
    loops.front()->Listen(socket, [this](int accepted, const SocketAddress& peer) { Accept(accepted, peer); });
  return {};
}

/// On their loop, before it has a client. Where it fails, clients are told to wait while it is tried again.
void Server::State::LoadGroups() {
  Mutex loading;
  CondVar changed;
  bool done = false;
  loops.front()->events().Post([&] {
    if (const auto loaded = groups->Load(); !loaded)
      Tell(fmt::format("groups cannot be read yet: {}", loaded.error().ToString()));
    const MutexLock lock(loading);
    done = true;
    changed.NotifyAll();
  });
  const MutexLock lock(loading);
  while (!done) changed.Wait(loading);
}

void Server::State::Accept(int socket, const SocketAddress& peer) {
  std::string host = peer.Host();
  const auto outcome = counts.Enter(host);
  if (outcome != ConnectionCounts::Outcome::kEntered) {
    ::close(socket);
    Tell(fmt::format(
        "turned {} away: {} connections {}", peer.Text(),
        outcome == ConnectionCounts::Outcome::kFull ? options.connections_max : options.connections_per_address_max,
        outcome == ConnectionCounts::Outcome::kFull ? "are served already" : "come from its address already"));
    return;
  }
  next_loop = (next_loop + 1) % loops.size();
  loops[next_loop]->Serve(socket, std::move(host), peer.Text());
}

void Server::State::Stop() {
  {
    const MutexLock lock(mutex);
    if (std::exchange(stopped, true)) return;
    full_loops = loops.size();
  }
  // The loop that accepts first: it hands connections to the others.
  for (const auto& loop : loops) {
    loop->Drain([this] {
      const MutexLock lock(mutex);
      --full_loops;
      emptied.NotifyAll();
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + options.stop_grace;
  {
    const MutexLock lock(mutex);
    while (full_loops > 0) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left.count() <= 0 || !emptied.WaitFor(mutex, left)) break;
    }
  }
  for (const auto& loop : loops) loop->CloseConnections();
  // What a pool still does posts to its loop, which drops it once it has ended.
  if (admin != nullptr) admin->Close();
  if (cold != nullptr) cold->Close();
  if (group_writer != nullptr) group_writer->Close();
  for (const auto& loop : loops) loop->Close();
  groups.reset();
  group_access.reset();
  log.reset();
  for (const int socket : std::exchange(sockets, {})) ::close(socket);
}

Result<void> CheckServerOptions(const ServerOptions& options) {
  MR_TRY(CheckNumbers(options));
  for (const ServerAddress& address : options.listen) {
    auto resolved = ResolveListen(options, address);
    if (!resolved) return resolved.error();
  }
  auto advertised = ChooseAdvertised(options);
  if (!advertised) return advertised.error();
  return {};
}

Result<std::unique_ptr<Server>> Server::Start(Engine& engine, ServerOptions options) {
  MR_TRY(CheckServerOptions(options));
  std::unique_ptr<Server> server(new Server(std::make_unique<State>(engine, std::move(options))));
  State& state = *server->state_;
  MR_ASSIGN_OR_RETURN(state.advertised, ChooseAdvertised(state.options));
  for (const ServerAddress& address : state.options.listen) MR_TRY(state.Bind(address));
  if (state.advertised.port == 0) state.advertised.port = state.addresses.front().port;
  MR_TRY(state.StartPools());
  MR_TRY(state.StartLoops());
  return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { Stop(); }

void Server::Stop() { state_->Stop(); }

const std::vector<ServerAddress>& Server::addresses() const { return state_->addresses; }

const ServerAddress& Server::advertised() const { return state_->advertised; }

std::uint32_t Server::connections() const { return state_->counts.all(); }

}  // namespace millrace
