#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace millrace {

Output::Output(int descriptor, std::size_t buffer_bytes)
    : descriptor_(descriptor), buffer_bytes_(buffer_bytes), is_terminal_(::isatty(descriptor) == 1) {}

void Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !stopped()) {
    ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      reader_gone_ = true;
    } else if (errno != EINTR) {
      error_number_ = errno;
    }
  }
  buffer_.clear();
}

Result<void> Output::Finish() {
  Flush();
  if (error_number_ == 0) return {};
  return Error(error_number_ == ENOSPC ? ErrorCode::kOutOfSpace : ErrorCode::kInternal,
               "cannot write to standard output: " + std::generic_category().message(error_number_));
}

}  // namespace millrace
