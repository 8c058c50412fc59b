#include "server/net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kPause{100};

int OpenSpare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

Error CannotListen(const SocketAddress& address, int error_number) {
  const Error error(ErrorCode::kUnavailable,
                    fmt::format("cannot listen on {}: {}", address.Text(), std::strerror(error_number)));
  if (error_number == EADDRINUSE)
    return error.WithHint("Choose another with --listen, or stop the process that has it.");
  if (error_number == EACCES) return error.WithHint("Ports below 1024 need a privilege.");
  return error;
}

}  // namespace

Result<int> BindSocket(const SocketAddress& address) {
  const int family = address.storage.ss_family;
  const int socket = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return CannotListen(address, errno);
  const int on = 1;
  (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    // "::" takes clients of both kinds; ::1 leaves 127.0.0.1 to the socket beside it.
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    const int v6_only = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) ? 0 : 1;
    (void)::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (::bind(socket, address.get(), address.size) == 0 && ::listen(socket, kBacklog) == 0) return socket;
  const int error_number = errno;
  ::close(socket);
  return CannotListen(address, error_number);
}

SocketAddress LocalAddress(int socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address;
}

Listener::Listener(EventLoop& loop, int socket, Accepted accepted, Tell tell)
    : loop_(loop),
      socket_(socket),
      accepted_(std::move(accepted)),
      tell_(std::move(tell)),
      readiness_(std::make_unique<Readiness>(loop, socket)),
      spare_(OpenSpare()) {
  Await();
}

Listener::~Listener() {
  if (pause_ != 0) loop_.StopTimer(pause_);
  readiness_.reset();
  ::close(socket_);
  if (spare_ >= 0) ::close(spare_);
}

void Listener::Await() {
  readiness_->AwaitReadable([this] { Accept(); });
}

void Listener::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    const int socket =
        ::accept4(socket_, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      short_told_ = false;
      accepted_(socket, peer);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (is_short) return TurnAway(errno);
    // Anything else is the fate of that one connection.
  }
  Await();
}

/// The client is told by the end of its connection, not left to wait for a server that cannot take it.
void Listener::TurnAway(int error_number) {
  if (!std::exchange(short_told_, true))
    tell_(fmt::format("cannot take more connections in: {}; raise the limit of open files (ulimit -n)",
                      std::strerror(error_number)));
  if (spare_ >= 0) {
    ::close(spare_);
    const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) ::close(socket);
    spare_ = OpenSpare();
  }
  pause_ = loop_.StartTimer(loop_.Now() + kPause, [this] {
    pause_ = 0;
    if (spare_ < 0) spare_ = OpenSpare();
    Await();
  });
}

}  // namespace millrace
