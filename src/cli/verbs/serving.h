// What `serve` and `dev` share: an open log, a server before it, and a process that runs until it is told to stop.
#pragma once

#include <string>
#include <vector>

#include "cli/parse/command.h"
#include "cli/parse/configuration.h"
#include "millrace/result.h"

namespace millrace {

/// Flags that are settings of the server.
std::vector<Flag> ServingFlags();
/// Applies them to what file and environment say.
Result<void> TakeServingFlags(const Arguments& arguments, Configuration& configuration);

/// Opens, serves, prints the banner, and returns after the stop: kOk by SIGTERM, kInterrupted by Ctrl-C.
/// Errors: those of OpenEngine, Server::Start and Engine::Close.
Result<ExitCode> ServeUntilStopped(Session& session, Configuration configuration);

}  // namespace millrace
