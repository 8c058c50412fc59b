#include "cli/records/line_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/try.h"

namespace millrace {

LineSource::LineSource(const Options& options) : options_(options) {
  buffer_.resize(options_.chunk_bytes);
  // A pipe as large as the buffer lets the other side run ahead; where that is not allowed, nothing is lost.
  (void)::fcntl(options_.descriptor, F_SETPIPE_SZ, static_cast<int>(options_.chunk_bytes));
}

LineSource::Ready LineSource::Wait(int wait_ms) const {
  std::array<pollfd, 3> entries{pollfd{options_.descriptor, POLLIN, 0}, pollfd{options_.interrupt, POLLIN, 0},
                                pollfd{options_.wake, POLLIN, 0}};
  while (::poll(entries.data(), entries.size(), wait_ms) < 0) continue;
  if (entries[1].revents != 0) return Ready::kInterrupted;
  if (entries[0].revents != 0) return Ready::kInput;
  return entries[2].revents != 0 ? Ready::kWoken : Ready::kNothing;
}

Result<std::size_t> LineSource::ReadSome() {
  while (true) {
    ssize_t count = ::read(options_.descriptor, buffer_.data() + end_, buffer_.size() - end_);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR && errno != EAGAIN) {
      return Error(ErrorCode::kInternal,
                   fmt::format("cannot read standard input: {}", std::generic_category().message(errno)));
    }
  }
}

/// What was read at `begin` goes up to its first newline, and that newline too.
void LineSource::DropToNewline(std::size_t begin) {
  const std::size_t newline = std::string_view(buffer_.data() + begin, end_ - begin).find('\n');
  const std::size_t kept = newline == std::string_view::npos ? end_ : begin + newline + 1;
  dropping_ = newline == std::string_view::npos;
  std::memmove(buffer_.data() + begin, buffer_.data() + kept, end_ - kept);
  end_ -= kept - begin;
}

Result<LineSource::Event> LineSource::Next(int wait_ms) {
  std::memmove(buffer_.data(), buffer_.data() + lines_end_, end_ - lines_end_);
  end_ -= lines_end_;
  begin_ = lines_end_ = 0;
  std::size_t searched = 0;  // no newline before this
  while (!at_end_) {
    if (end_ == buffer_.size()) {
      if (lines_end_ > 0) return Event::kLines;
      if (buffer_.size() >= options_.line_bytes_max) {
        lines_end_ = end_;
        dropping_ = true;
        return Event::kLongLine;
      }
      buffer_.resize(std::min(buffer_.size() * 2, options_.line_bytes_max));
    }
    Ready ready = Wait(lines_end_ > 0 ? 0 : wait_ms);
    if (ready == Ready::kInterrupted) return lines_end_ > 0 ? Event::kLines : Event::kInterrupted;
    if (ready != Ready::kInput) return lines_end_ > 0 ? Event::kLines : Event::kWoken;
    MR_ASSIGN_OR_RETURN(std::size_t count, ReadSome());
    end_ += count;
    if (count == 0) at_end_ = true;
    if (dropping_) DropToNewline(searched);
    std::size_t newline = std::string_view(buffer_.data() + searched, end_ - searched).rfind('\n');
    if (newline != std::string_view::npos) lines_end_ = searched + newline + 1;
    searched = end_;
  }
  lines_end_ = end_;
  return end_ > 0 ? Event::kLines : Event::kEnd;
}

}  // namespace millrace
