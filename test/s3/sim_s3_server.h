// The simulated S3 over HTTP/1.1 on a port of this machine, for clients that speak over sockets: real time, one thread
// a connection, connections kept alive, each paced as the plan of its answer says.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "millrace/result.h"
#include "test/s3/sim_s3.h"

namespace millrace {

class SimS3Server {
 public:
  /// Listens on 127.0.0.1. `store` outlives the server. Errors: kUnavailable (no socket).
  static Result<std::unique_ptr<SimS3Server>> Start(SimS3& store);
  /// Breaks what is under way.
  ~SimS3Server();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT"
  [[nodiscard]] std::string endpoint() const;
  [[nodiscard]] std::uint64_t connections_accepted() const { return accepted_; }

 private:
  struct Connection {
    int socket = -1;  // under mutex_ once served; -1: closed
    std::atomic<bool> ended{false};
    std::jthread thread;
  };
  SimS3Server(SimS3& store, int listener, int stop_event, std::uint16_t port);
  void Accept();
  void Serve(Connection& connection);

  SimS3& store_;
  const int listener_, stop_event_;
  const std::uint16_t port_;
  std::atomic<std::uint64_t> accepted_{0};
  Mutex mutex_;
  std::list<Connection> connections_ MR_GUARDED_BY(mutex_);
  std::jthread acceptor_;
};

}  // namespace millrace
