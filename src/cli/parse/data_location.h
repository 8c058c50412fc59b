// Where the log is: from flags, else from the environment, to an open engine, or to a log behind a server.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

#include "cli/parse/arguments.h"
#include "cli/parse/command.h"
#include "cli/parse/configuration.h"
#include "client/address.h"
#include "client/log.h"
#include "millrace/engine.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// The log the user named: behind a server, or in the directory of these options.
struct LogPlace {
  std::optional<client::Address> server;
  bool by_default = false;  // nothing was named: the server is localhost:9092
  EngineOptions options;    // configured as Configure says
};
/// Nothing named: the server at localhost:9092. Errors: kInvalidArgument (a directory and a server both, flags of a
/// directory with a server or with nothing, a bad setting).
Result<LogPlace> LocateLog(const Arguments& arguments, const Environment& environment);
/// For verbs that work on the files of a log. Errors: as LocateLog, and kInvalidArgument for a server, naming the verb,
/// and where nothing is named.
Result<EngineOptions> LocateEngine(const Arguments& arguments, const Environment& environment);
/// The same for verbs that can do with the object store of a log alone, to be read: then there is no directory.
Result<EngineOptions> LocateReadable(const Arguments& arguments, const Environment& environment);

/// Whether a command may make the directory. Verbs that only read may not.
enum class Creation { kNever, kIfMissing };

/// Waits for the directory's lock as long as --wait says. Where nothing can be written, a verb that makes no directory
/// gets an engine that reads. Errors: kNotFound (no such directory), kUnavailable (held by
/// another process), kClosed (interrupted while waiting), and those of Engine::Open.
Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, Creation creation);
Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, EngineOptions options, Creation creation);

/// At the end of a verb: upkeep, also for verbs that only read, then Close (LocalLog::Close).
Result<void> CloseEngine(Engine& engine);

/// The log the user named, wherever it is. `engine_flags` are those that only an engine can obey: over a server each of
/// them is refused by name. Errors: those of OpenEngine, or of RemoteLog::Open.
Result<std::unique_ptr<Log>> OpenLog(const Session& session, Creation creation,
                                     std::initializer_list<std::string_view> engine_flags = {});

/// Where the user's log has its WAL. kNotFound if there is none.
Result<std::filesystem::path> FindWalDirectory(const Arguments& arguments);

}  // namespace millrace
