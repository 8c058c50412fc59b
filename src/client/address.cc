#include "client/address.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/units.h"

namespace millrace::client {
namespace {

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  const auto port = ParseInteger(text);
  if (!port || *port < 1 || *port > UINT16_MAX) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

bool IsHost(std::string_view text) {
  return text.size() <= 255 && std::ranges::none_of(text, [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '[' || c == ']' || c == ',' || c == 0x7f;
         });
}

}  // namespace

std::optional<Address> Address::Parse(std::string_view text) {
  Address address;
  std::string_view host = text, port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (host.empty() || (!rest.empty() && !rest.starts_with(':'))) return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (std::ranges::count(text, ':') == 1) {  // more: an IPv6 address without brackets, and without a port
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (text.empty() || !IsHost(host)) return std::nullopt;
  address.host = host.empty() ? "localhost" : host;
  if (!has_port) return address;
  const auto number = ParsePort(port);
  if (!number) return std::nullopt;
  address.port = *number;
  return address;
}

std::string Address::Text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

}  // namespace millrace::client
