// Where the log is: from flags, else from the environment, to an open engine.
#pragma once

#include <filesystem>
#include <memory>

#include "cli/parse/arguments.h"
#include "cli/parse/command.h"
#include "cli/parse/configuration.h"
#include "millrace/engine.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Options for the log the user named, configured as Configure says.
/// Errors: kInvalidArgument (nothing named, a directory and a server both, a server at all, a bad setting).
Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment);

/// Whether a command may make the directory. Verbs that only read may not.
enum class Creation { kNever, kIfMissing };

/// Waits for the directory's lock as long as --wait says. Where nothing can be written, a verb that makes no directory
/// gets an engine that reads. Errors: kNotFound (no such directory), kUnavailable (held by
/// another process), kClosed (interrupted while waiting), and those of Engine::Open.
Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, Creation creation);
Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, EngineOptions options, Creation creation);

/// At the end of a verb: a tenth of a second of what is due (Engine::Maintain), also for verbs that only read, since a
/// log that only short commands use gets no other upkeep; then Close. What upkeep fails at is in status.
Result<void> CloseEngine(Engine& engine);

/// Where the user's log has its WAL. kNotFound if there is none.
Result<std::filesystem::path> FindWalDirectory(const Arguments& arguments);

}  // namespace millrace
