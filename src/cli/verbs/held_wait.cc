#include "cli/verbs/held_wait.h"

#include <poll.h>

#include "base/try.h"
#include "cli/parse/arguments.h"

namespace millrace {

Result<HeldWait> HeldWait::Of(const Session& session) {
  MR_ASSIGN_OR_RETURN(const auto wait, session.arguments.Duration("--wait"));
  return HeldWait(session, wait.value_or(std::chrono::milliseconds(0)));
}

bool HeldWait::Again(const Error& error) const {
  constexpr int kPauseMs = 50;
  const bool held = error.code() == ErrorCode::kUnavailable && error.message().contains(" is held by ");
  if (!held || std::chrono::steady_clock::now() - begin_ >= wait_) return false;
  pollfd entry{session_.interrupt.descriptor(), POLLIN, 0};
  (void)::poll(&entry, 1, kPauseMs);
  return !session_.interrupt.Stopped();
}

}  // namespace millrace
