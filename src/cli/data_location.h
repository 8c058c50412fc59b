// Where the log is: from flags, else from the environment, to an open engine.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "millrace/engine.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Reads one variable of the environment; handed in, so that a test has its own.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment ProcessEnvironment();

/// Options for the directory the user named; a flag wins over the environment.
/// Errors: kInvalidArgument (nothing named, a directory and a server both, a server at all, a bad setting).
Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment);

/// Whether a command may make the directory. Verbs that only read may not.
enum class Creation { kNever, kIfMissing };

/// Errors: kNotFound (no such directory), kUnavailable (held by another process), and those of Engine::Open.
Result<std::unique_ptr<Engine>> OpenEngine(const Arguments& arguments, Creation creation);
Result<std::unique_ptr<Engine>> OpenEngine(EngineOptions options, Creation creation);

/// "each", "interval:5ms", "none".
std::optional<SyncPolicy> ParseSyncPolicy(std::string_view text);

}  // namespace millrace
