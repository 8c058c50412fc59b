#include "cli/parse/server_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <optional>
#include <vector>

#include "cli/parse/setting_text.h"
#include "cli/parse/setting_variable.h"
#include "text/units.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

template <std::integral T>
std::optional<T> ParseNumber(std::string_view text) {
  const auto number = ParseInteger(text);
  if (!number || !std::in_range<T>(*number) || *number < 0) return std::nullopt;
  return static_cast<T>(*number);
}

template <std::integral T>
std::optional<T> ParseBytes(std::string_view text) {
  const auto size = ParseSize(text);
  if (!size || !std::in_range<T>(*size)) return std::nullopt;
  return static_cast<T>(*size);
}

/// "localhost:9092, [::]:9093"
std::optional<std::vector<ServerAddress>> ParseAddresses(std::string_view text) {
  std::vector<ServerAddress> addresses;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    const auto address = ServerAddress::Parse(one);
    if (!address) return std::nullopt;
    addresses.push_back(*address);
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

std::string ShowAddresses(const std::vector<ServerAddress>& addresses) {
  std::string text;
  for (const ServerAddress& address : addresses) text += (text.empty() ? "" : ",") + address.Text();
  return text;
}

std::string Show(bool value) { return value ? "true" : "false"; }
std::string Show(std::integral auto value) { return fmt::format("{}", value); }
std::string Show(milliseconds value) { return FormatDuration(value); }

constexpr std::string_view kSize = "a size such as 4096 or 64MiB", kDuration = "a duration such as 500ms, 5s or 2h",
                           kBool = "true or false", kNumber = "a number";

using Options = ServerOptions;
using Text = std::string_view;

constexpr std::array kSettings = std::to_array<ServerSetting>({
    {"server.listen", "addresses such as localhost:9092",
     [](Options& o, Text text) { return Take(o.listen, ParseAddresses(text)); },
     [](const Options& o) { return ShowAddresses(o.listen); }},
    {"server.advertise", "an address such as log.example:9092",
     [](Options& o, Text text) { return Take(o.advertise, ServerAddress::Parse(text)); },
     [](const Options& o) { return o.advertise ? o.advertise->Text() : std::string(); }},
    {"server.plaintext_beyond_loopback", kBool,
     [](Options& o, Text text) { return Take(o.plaintext_beyond_loopback, ParseBool(text)); },
     [](const Options& o) { return Show(o.plaintext_beyond_loopback); }},
    {"server.node_id", kNumber, [](Options& o, Text text) { return Take(o.node_id, ParseNumber<std::int32_t>(text)); },
     [](const Options& o) { return Show(o.node_id); }},
    {"server.loops", kNumber, [](Options& o, Text text) { return Take(o.loops, ParseNumber<std::uint32_t>(text)); },
     [](const Options& o) { return Show(o.loops); }},
    {"server.cold_threads", kNumber,
     [](Options& o, Text text) { return Take(o.cold_threads, ParseNumber<std::uint32_t>(text)); },
     [](const Options& o) { return Show(o.cold_threads); }},
    {"server.auto_create_topics", kBool,
     [](Options& o, Text text) { return Take(o.auto_create_topics, ParseBool(text)); },
     [](const Options& o) { return Show(o.auto_create_topics); }},
    {"server.group_initial_delay", kDuration,
     [](Options& o, Text text) { return Take(o.group_initial_delay, ParseDuration(text)); },
     [](const Options& o) { return Show(o.group_initial_delay); }},
    {"server.batch_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.batch_bytes_max, ParseBytes<std::uint64_t>(text)); },
     [](const Options& o) { return Show(o.batch_bytes_max); }},
    {"server.request_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.request_bytes_max, ParseBytes<std::uint32_t>(text)); },
     [](const Options& o) { return Show(o.request_bytes_max); }},
    {"server.fetch_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.fetch_bytes_max, ParseBytes<std::uint64_t>(text)); },
     [](const Options& o) { return Show(o.fetch_bytes_max); }},
    {"server.in_flight_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.in_flight_bytes_max, ParseBytes<std::uint64_t>(text)); },
     [](const Options& o) { return Show(o.in_flight_bytes_max); }},
    {"server.connection_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.connection_bytes_max, ParseBytes<std::uint64_t>(text)); },
     [](const Options& o) { return Show(o.connection_bytes_max); }},
    {"server.cold_bytes_max", kSize,
     [](Options& o, Text text) { return Take(o.cold_bytes_max, ParseBytes<std::uint64_t>(text)); },
     [](const Options& o) { return Show(o.cold_bytes_max); }},
    {"server.connections_max", kNumber,
     [](Options& o, Text text) { return Take(o.connections_max, ParseNumber<std::uint32_t>(text)); },
     [](const Options& o) { return Show(o.connections_max); }},
    {"server.connections_per_address_max", kNumber,
     [](Options& o, Text text) { return Take(o.connections_per_address_max, ParseNumber<std::uint32_t>(text)); },
     [](const Options& o) { return Show(o.connections_per_address_max); }},
    {"server.idle_timeout", kDuration, [](Options& o, Text text) { return Take(o.idle_timeout, ParseDuration(text)); },
     [](const Options& o) { return Show(o.idle_timeout); }},
    {"server.handshake_timeout", kDuration,
     [](Options& o, Text text) { return Take(o.handshake_timeout, ParseDuration(text)); },
     [](const Options& o) { return Show(o.handshake_timeout); }},
    {"server.progress_timeout", kDuration,
     [](Options& o, Text text) { return Take(o.progress_timeout, ParseDuration(text)); },
     [](const Options& o) { return Show(o.progress_timeout); }},
    {"server.stop_grace", kDuration, [](Options& o, Text text) { return Take(o.stop_grace, ParseDuration(text)); },
     [](const Options& o) { return Show(o.stop_grace); }},
    {"topic_defaults.partitions", kNumber,
     [](Options& o, Text text) { return Take(o.topic_defaults.partitions, ParseNumber<std::int32_t>(text)); },
     [](const Options& o) { return Show(o.topic_defaults.partitions); }},
});

}  // namespace

std::span<const ServerSetting> ServerSettings() { return kSettings; }

std::string ServerSetting::variable() const { return SettingVariable(name); }

const ServerSetting* FindServerSetting(std::string_view name) {
  const auto found = std::ranges::find(kSettings, name, &ServerSetting::name);
  return found == kSettings.end() ? nullptr : &*found;
}

}  // namespace millrace
