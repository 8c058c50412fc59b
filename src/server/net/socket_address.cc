#include "server/net/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace millrace {
namespace {

const sockaddr_in& V4(const SocketAddress& address) { return reinterpret_cast<const sockaddr_in&>(address.storage); }
const sockaddr_in6& V6(const SocketAddress& address) { return reinterpret_cast<const sockaddr_in6&>(address.storage); }

Result<std::vector<SocketAddress>> LookUp(const char* host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host, fmt::format("{}", port).c_str(), &hints, &found);
  if (error != 0)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the name {} has no address: {}", host, ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    const bool known =
        std::ranges::any_of(addresses, [&](const SocketAddress& other) { return other.Text() == address.Text(); });
    if (!known) addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

bool SocketAddress::is_loopback() const {
  if (storage.ss_family == AF_INET) return (ntohl(V4(*this).sin_addr.s_addr) >> 24) == 127;
  if (storage.ss_family != AF_INET6) return false;
  const in6_addr& address = V6(*this).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::uint16_t SocketAddress::port() const {
  return ntohs(storage.ss_family == AF_INET ? V4(*this).sin_port : V6(*this).sin6_port);
}

void SocketAddress::SetPort(std::uint16_t port) {
  if (storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
  }
}

std::string SocketAddress::Host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &V4(*this).sin_addr, text.data(), text.size());
  } else if (storage.ss_family == AF_INET6) {
    const in6_addr& address = V6(*this).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, address.s6_addr + 12, text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &address, text.data(), text.size());
    }
  }
  return text.data();
}

Result<std::vector<SocketAddress>> Resolve(const ServerAddress& address) {
  if (address.host != "localhost") return LookUp(address.host.c_str(), address.port);
  // Clients try ::1 first for this name, and a machine's hosts file may know only one of the two.
  std::vector<SocketAddress> both;
  for (const char* host : {"127.0.0.1", "::1"}) {
    auto one = LookUp(host, address.port);
    if (one) both.insert(both.end(), one->begin(), one->end());
  }
  return both;
}

bool IsWildcard(const ServerAddress& address) {
  return address.host == "::" || address.host == "0.0.0.0" || address.host.empty();
}

}  // namespace millrace
