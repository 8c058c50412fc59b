// Lines from a descriptor, many at a time: as much as is there, up to a buffer, and never waiting while something could
// go.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

/// Not thread-safe.
class LineSource {
 public:
  struct Options {
    int descriptor = 0;
    int interrupt = -1;                 // readable: stop (Interrupt::descriptor)
    int wake = -1;                      // readable: come back to the caller, who knows why
    std::size_t chunk_bytes = 1 << 20;  // read at once
    std::size_t line_bytes_max = 16 << 20;
  };
  explicit LineSource(const Options& options);

  enum class Event { kLines, kLongLine, kEnd, kInterrupted, kWoken };
  /// Blocks until lines are there, at most `wait_ms` (-1: as long as it takes). kLines: `lines()` are whole lines, each
  /// with its '\n' but possibly the last of the input. kLongLine: `lines()` is how a line past the limit begins,
  /// without '\n'; the rest of it is dropped. kWoken: the wait is over, or a thread wrote to `wake`. Errors: kInternal
  /// (read).
  Result<Event> Next(int wait_ms = -1);
  [[nodiscard]] std::string_view lines() const { return {buffer_.data() + begin_, lines_end_ - begin_}; }

 private:
  enum class Ready { kInput, kNothing, kInterrupted, kWoken };
  Ready Wait(int wait_ms) const;
  Result<std::size_t> ReadSome();
  void DropToNewline(std::size_t begin);

  const Options options_;
  std::string buffer_;
  std::size_t begin_ = 0, lines_end_ = 0, end_ = 0;  // given out: [begin, lines_end); read: [.., end)
  bool at_end_ = false;
  bool dropping_ = false;  // inside a line past the limit
};

}  // namespace millrace
