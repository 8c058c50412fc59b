// What is set, and by whom: flag before environment before file before default.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/parse/arguments.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "millrace/server_options.h"

namespace millrace {

/// Reads one variable of the environment; handed in, so that a test has its own.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment ProcessEnvironment();

struct Configuration {
  EngineOptions options;
  ServerOptions server;
  std::map<std::string, std::string, std::less<>> origins;  // setting to who set it; absent: the default holds

  /// Who set it: "--set", "MILLRACE_ENGINE__SYNC", "./millrace.toml:3:1", "default".
  [[nodiscard]] std::string_view OriginOf(std::string_view setting) const;
};

/// The file is --config-file, else ./millrace.toml, else /etc/millrace/millrace.toml, if there is one.
/// Errors: kInvalidArgument (an unknown setting, with its place; a value it does not take), those of the file.
Result<Configuration> Configure(const Arguments& arguments, const Environment& environment);

}  // namespace millrace
