// HOST:PORT of a server, as users and servers write it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::client {

struct Address {
  static constexpr std::uint16_t kDefaultPort = 9092;

  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = kDefaultPort;

  /// "localhost:9092", "localhost" (port 9092), "[::1]:9092", "::1", ":9092" (localhost). None: it is no address.
  static std::optional<Address> Parse(std::string_view text);
  /// "localhost:9092", "[::1]:9092".
  [[nodiscard]] std::string Text() const;
  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace millrace::client
