// Waiting for a directory that another process holds, as long as --wait says.
#pragma once

#include <chrono>

#include "cli/parse/command.h"
#include "millrace/result.h"

namespace millrace {

class HeldWait {
 public:
  /// kInvalidArgument: --wait is no duration.
  static Result<HeldWait> Of(const Session& session);
  /// After a pause: whether what failed so is to be tried again. Not if it failed for another reason, the time is over
  /// or the user interrupted.
  bool Again(const Error& error) const;

 private:
  HeldWait(const Session& session, std::chrono::milliseconds wait) : session_(session), wait_(wait) {}
  const Session& session_;
  const std::chrono::milliseconds wait_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// What `call` returns once nobody holds the directory, or the wait is over.
template <class Call>
auto WhenFree(const Session& session, const Call& call) -> decltype(call()) {
  const Result<HeldWait> wait = HeldWait::Of(session);
  if (!wait) return wait.error();
  for (;;) {
    auto result = call();
    if (result || !wait->Again(result.error())) return result;
  }
}

}  // namespace millrace
