#include "cli/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "text/table.h"

namespace millrace {

Output::Output(int descriptor, std::size_t buffer_bytes)
    : descriptor_(descriptor), buffer_bytes_(buffer_bytes), is_terminal_(::isatty(descriptor) == 1) {}

void Output::Write(const Table& table) {
  if (is_terminal_) {
    table.AppendPretty(buffer_);
  } else {
    table.AppendPlain(buffer_);
  }
  Written();
}

void Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !stopped()) {
    ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0) {
      FailedWrite(errno);
      continue;
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
    written_ += static_cast<std::uint64_t>(count);
    if (!rest.empty() && stop_.stop_requested()) interrupted_ = true;  // cut short by the signal: no reader takes it
  }
  flushed_ += buffer_.size();
  buffer_.clear();
}

void Output::FailedWrite(int error_number) {
  if (error_number == EPIPE) {
    reader_gone_ = true;
  } else if (error_number == EINTR) {
    interrupted_ = stop_.stop_requested();
  } else if (error_number == EAGAIN) {
    pollfd entry{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    // A signal ends the waiting; whether it asked for a stop is looked at here.
    if (::poll(&entry, 1, -1) < 0) interrupted_ = stop_.stop_requested();
  } else {
    error_number_ = error_number;
  }
}

std::uint64_t Output::taken() {
  if (!reader_gone_) LookForReader();
  if (!reader_gone_) return written_;
  int unread = 0;
  if (::ioctl(descriptor_, FIONREAD, &unread) != 0 || unread < 0) return written_;
  return written_ - std::min(written_, static_cast<std::uint64_t>(unread));
}

void Output::LookForReader() {
  pollfd entry{.fd = descriptor_, .events = 0, .revents = 0};
  if (::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLERR | POLLHUP)) != 0) reader_gone_ = true;
}

Result<void> Output::Finish() {
  Flush();
  if (error_number_ == 0) return {};
  const bool full = error_number_ == ENOSPC || error_number_ == EFBIG || error_number_ == EDQUOT;
  return Error(full ? ErrorCode::kOutOfSpace : ErrorCode::kInternal,
               "cannot write to standard output: " + std::generic_category().message(error_number_));
}

}  // namespace millrace
