// Threads that the system may refuse.
#pragma once

#include <functional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "millrace/result.h"

namespace millrace {

/// kUnavailable with the limits that may be to blame.
Error NoThreadError(const std::system_error& error);

/// Runs `body` on a thread of its own. kUnavailable: the system gives none.
inline Result<std::jthread> StartThread(std::move_only_function<void(const std::stop_token&)> body) {
  try {
    return std::jthread([run = std::move(body)](const std::stop_token& stop) mutable { run(stop); });
  } catch (const std::system_error& error) {
    return NoThreadError(error);
  }
}

}  // namespace millrace
