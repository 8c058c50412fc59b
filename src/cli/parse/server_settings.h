// Every setting of `serve` under one name, as the configuration file, the environment and --set spell it:
// server.listen, server.loops, topic_defaults.partitions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "millrace/server_options.h"

namespace millrace {

struct ServerSetting {
  std::string_view name;
  std::string_view wanted;                                     // what it takes, for people
  bool (*set)(ServerOptions& options, std::string_view text);  // false: that is not what it takes
  std::string (*show)(const ServerOptions& options);

  /// "MILLRACE_SERVER__LISTEN"
  [[nodiscard]] std::string variable() const;
};

std::span<const ServerSetting> ServerSettings();
/// Null: there is none of this name.
const ServerSetting* FindServerSetting(std::string_view name);

}  // namespace millrace
