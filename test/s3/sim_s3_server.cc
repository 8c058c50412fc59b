#include "test/s3/sim_s3_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "test/s3/sim_s3_connection.h"

namespace millrace {
namespace {

Error SocketError(std::string_view call) {
  return {ErrorCode::kUnavailable, fmt::format("simulated S3: {}: {}", call, std::strerror(errno))};
}

}  // namespace

Result<std::unique_ptr<SimS3Server>> SimS3Server::Start(SimS3& store) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return SocketError("socket");
  // Some machines pace loopback by default, which would be taken for a slow store.
  (void)::setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const Error error = SocketError("bind");
    ::close(listener);
    return error;
  }
  const int stop_event = ::eventfd(0, EFD_CLOEXEC);
  if (stop_event < 0) return SocketError("eventfd");
  return std::unique_ptr<SimS3Server>(new SimS3Server(store, listener, stop_event, ntohs(address.sin_port)));
}

SimS3Server::SimS3Server(SimS3& store, int listener, int stop_event, std::uint16_t port)
    : store_(store), listener_(listener), stop_event_(stop_event), port_(port), acceptor_([this] { Accept(); }) {}

SimS3Server::~SimS3Server() {
  (void)::eventfd_write(stop_event_, 1);
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  std::list<Connection> ending;
  {
    const MutexLock lock(mutex_);
    for (const Connection& connection : connections_) {
      if (connection.socket >= 0) ::shutdown(connection.socket, SHUT_RDWR);
    }
    ending.swap(connections_);
  }
  for (Connection& connection : ending) connection.thread.join();
  ::close(listener_);
  ::close(stop_event_);
}

std::string SimS3Server::endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

void SimS3Server::Accept() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++accepted_;
    const MutexLock lock(mutex_);
    std::erase_if(connections_, [](Connection& connection) {
      if (!connection.ended) return false;
      connection.thread.join();
      return true;
    });
    Connection& connection = connections_.emplace_back();
    connection.socket = socket;
    connection.thread = std::jthread([this, &connection] { Serve(connection); });
  }
}

void SimS3Server::Serve(Connection& connection) {
  SimS3Connection peer(connection.socket, stop_event_);
  SimS3Ending ending = SimS3Ending::kComplete;
  while (const auto request = peer.Receive()) {
    const SimS3Reply reply = store_.Handle(*request);
    ending = reply.ending;
    if (!peer.Send(*request, reply)) break;
  }
  {
    const MutexLock lock(mutex_);
    if (ending == SimS3Ending::kResetBeforeReply || ending == SimS3Ending::kResetInBody) {
      const linger abort{.l_onoff = 1, .l_linger = 0};  // the peer sees a reset, no orderly end
      (void)::setsockopt(connection.socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    }
    ::close(connection.socket);
    connection.socket = -1;
  }
  connection.ended = true;
}

}  // namespace millrace
