// Addresses of sockets: from names, to text.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/result.h"
#include "millrace/server_options.h"

namespace millrace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::uint16_t port() const;
  void SetPort(std::uint16_t port);
  /// "127.0.0.1", "::1"; an IPv4 address that came by IPv6 as IPv4.
  [[nodiscard]] std::string Host() const;
  [[nodiscard]] std::string Text() const { return ServerAddress{Host(), port()}.Text(); }
};

/// All addresses of a name, each once. localhost always has both of this machine. kInvalidArgument: it has none.
Result<std::vector<SocketAddress>> Resolve(const ServerAddress& address);

/// "::", "0.0.0.0": all addresses of this machine.
[[nodiscard]] bool IsWildcard(const ServerAddress& address);

}  // namespace millrace
