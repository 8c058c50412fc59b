// A listening socket: takes connections in, whatever the system is short of.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "millrace/result.h"
#include "server/net/event_loop.h"
#include "server/net/socket_address.h"

namespace millrace {

/// A socket that listens. kUnavailable: the address is in use, or not this machine's (the message says which).
Result<int> BindSocket(const SocketAddress& address);
/// Where it listens, its port known.
SocketAddress LocalAddress(int socket);

/// Of its loop's thread; the loop outlives it.
class Listener {
 public:
  /// Takes a connected socket over: non-blocking, closed on exec.
  using Accepted = std::function<void(int socket, const SocketAddress& peer)>;
  using Tell = std::function<void(std::string_view line)>;

  /// Takes the socket over.
  Listener(EventLoop& loop, int socket, Accepted accepted, Tell tell);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void Await();
  void Accept();
  void TurnAway(int error_number);

  EventLoop& loop_;
  const int socket_;
  const Accepted accepted_;
  const Tell tell_;
  std::unique_ptr<Readiness> readiness_;
  int spare_;  // given up for a moment to turn a client away when descriptors are out
  bool short_told_ = false;
  TurnLoop::TimerId pause_ = 0;
};

}  // namespace millrace
