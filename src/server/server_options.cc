#include "millrace/server_options.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace {

std::string ServerAddress::Text() const {
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::optional<ServerAddress> ServerAddress::Parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon), number = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return std::nullopt;  // an IPv6 address without brackets: where its port begins is anyone's guess
  }
  ServerAddress address{.host = std::string(host.empty() ? "::" : host)};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), address.port);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return address;
}

}  // namespace millrace
