// Serves an open engine to Kafka clients: the same log in this process and over the network at once.
//
//   auto engine = Engine::Open(options);   auto server = Server::Start(**engine, {.listen = {{"localhost", 9092}}});
#pragma once

#include <memory>
#include <vector>

#include "millrace/engine.h"
#include "millrace/result.h"
#include "millrace/server_options.h"

namespace millrace {

/// Safe from any thread.
class Server {
 public:
  /// Listens when it returns. The engine outlives the server.
  /// Errors: kInvalidArgument (options; a name without an address; beyond this machine without
  /// plaintext_beyond_loopback), kUnavailable (an address is in use; no thread, no descriptor).
  static Result<std::unique_ptr<Server>> Start(Engine& engine, ServerOptions options);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Takes no client in any more, answers fetches that wait with what there is, finishes what is in flight (for
  /// ServerOptions::stop_grace at most), and closes. What was acknowledged is where its acknowledgement says; the
  /// engine stays open. Again: nothing.
  void Stop();
  /// Where it listens, ports that were chosen included.
  [[nodiscard]] const std::vector<ServerAddress>& addresses() const;
  /// What clients are told.
  [[nodiscard]] const ServerAddress& advertised() const;
  /// Connections at present.
  [[nodiscard]] std::uint32_t connections() const;

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

/// Whether Start would refuse them, without listening: for a look at a configuration. Errors: as Start's
/// kInvalidArgument.
Result<void> CheckServerOptions(const ServerOptions& options);

}  // namespace millrace
