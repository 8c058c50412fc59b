// One loop of the server: its thread, its connections, and the end of its turns.
//
//   sockets ─► requests are handled, appends staged ─► Commit: one sync ─► replies ─► one write for each socket
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "millrace/result.h"
#include "server/kafka/broker.h"
#include "server/kafka/frame_pool.h"
#include "server/kafka/kafka_connection.h"
#include "server/net/connection_counts.h"
#include "server/net/event_loop.h"
#include "server/net/listener.h"
#include "server/net/socket_driver.h"

namespace millrace {

/// What the loops of a server share; outlives them.
struct SharedByLoops {
  Engine& engine;
  PartitionAccess& log;
  ThreadPool& admin;
  ThreadPool& cold;
  ByteBudget& in_flight;
  ByteBudget& cold_bytes;
  ByteBudget& session_bytes;
  GroupDesk& groups;
  FramePool& frames;
  ConnectionCounts& counts;
  BrokerSettings broker;
  ConnectionLimits connection;
  SocketTimeouts timeouts;
  Broker::Tell tell;
};

class ServerLoop {
 public:
  /// kUnavailable: the system gives no thread.
  static Result<std::unique_ptr<ServerLoop>> Start(const SharedByLoops& shared, std::unique_ptr<EventLoop> events);
  /// Close was called.
  ~ServerLoop();

  [[nodiscard]] EventLoop& events() { return *events_; }
  /// Serves a connected socket that was counted. From any thread.
  void Serve(int socket, std::string host, std::string peer);
  /// On the loop's thread, and waited for: owns the listener from then on.
  void Listen(int socket, std::function<void(int socket, const SocketAddress& peer)> accepted);
  /// Takes no client in any more and ends waits; `empty` is called on the loop's thread once no connection is left.
  /// From any thread.
  void Drain(std::function<void()> empty);
  /// Closes what connections are left. From any thread.
  void CloseConnections();
  /// Ends the thread and lets go of all that stands on the log. The pools are closed before.
  void Close();

 private:
  struct Served {
    std::shared_ptr<SocketDriver> driver;
    std::string host;
  };
  ServerLoop(const SharedByLoops& shared, std::unique_ptr<EventLoop> events);
  void Begin(int socket, const std::string& host, std::string peer);
  void Closed(const SocketDriver* driver, std::string_view why);
  void EndTurn();

  const SharedByLoops& shared_;
  const std::unique_ptr<EventLoop> events_;
  std::unique_ptr<Broker> broker_;
  std::jthread thread_;
  // Of the loop's thread.
  std::unordered_map<const SocketDriver*, Served> served_;
  std::vector<std::shared_ptr<SocketDriver>> dirty_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::function<void()> empty_;
  bool draining_ = false;
};

}  // namespace millrace
