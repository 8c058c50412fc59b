#include "env/start_thread.h"

#include <fmt/format.h>

namespace millrace {

Error NoThreadError(const std::system_error& error) {
  return {ErrorCode::kUnavailable, fmt::format("cannot start a thread: {}", error.what()),
          "raise the limit of processes and threads: ulimit -u, the control group's pids.max, or kernel.threads-max"};
}

}  // namespace millrace
