#include "store/proxy_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

namespace millrace {
namespace {

char Small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string InSmallLetters(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), Small);
  return small;
}

/// The first of them that is set; null: none is.
const char* SetOne(const AwsSurroundings& surroundings, std::initializer_list<const char*> variables) {
  for (const char* const name : variables)
    if (surroundings.variable(name)) return name;
  return nullptr;
}

/// Whether an entry of NO_PROXY stands for `host`: the name itself, or the end of it behind a dot.
bool StandsFor(std::string_view entry, std::string_view host, std::uint16_t port) {
  if (entry == "*") return true;
  const std::string with_port = fmt::format(":{}", port);
  if (entry.ends_with(with_port)) entry.remove_suffix(with_port.size());
  if (entry.starts_with('*')) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

bool IsLeftOut(std::string_view entries, std::string_view host, std::uint16_t port) {
  constexpr std::string_view kBetween = ", \t";
  while (!entries.empty()) {
    const std::size_t end = entries.find_first_of(kBetween);
    if (StandsFor(entries.substr(0, end), host, port)) return true;
    entries = end == std::string_view::npos ? std::string_view() : entries.substr(end + 1);
  }
  return false;
}

}  // namespace

std::optional<Finding> CheckProxy(const S3Settings& settings, const AwsSurroundings& surroundings,
                                  StoreReached reached) {
  const char* const variable = settings.tls
                                   ? SetOne(surroundings, {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"})
                                   : SetOne(surroundings, {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"});
  if (variable == nullptr) return {};
  const std::string own = settings.addressing == S3Addressing::kVirtualHost ? settings.bucket + '.' : std::string();
  const std::string host = InSmallLetters(own + settings.host);
  const char* const exceptions = SetOne(surroundings, {"NO_PROXY", "no_proxy"});
  if (exceptions != nullptr && IsLeftOut(InSmallLetters(*surroundings.variable(exceptions)), host, settings.port))
    return Finding{
        FindingLevel::kOk, "proxy",
        fmt::format("{} is set, and {} leaves {} out of it: requests go there straight", variable, exceptions, host),
        ""};
  if (reached == StoreReached::kYes)
    return Finding{FindingLevel::kOk, "proxy",
                   fmt::format("{} is set and not obeyed: requests go to {} straight, and did arrive", variable, host),
                   ""};
  return Finding{FindingLevel::kWarn, "proxy",
                 fmt::format("{} is set and not obeyed: requests go to {} straight, also those for credentials; where "
                             "only the proxy may leave this network, none arrives",
                             variable, host),
                 "Open the way to the store for this machine, or name an endpoint within the network (endpoint=URL), "
                 "as a VPC endpoint or a gateway is one"};
}

}  // namespace millrace
