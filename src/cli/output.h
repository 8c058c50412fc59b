// Standard output and standard error. Data goes to `out`, everything else to `err`. Writes are gathered in one large
// buffer; a reader who went away (SIGPIPE is ignored) ends the program quietly.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

/// Not thread-safe. Nothing is written before the buffer is full or Flush is called.
class Output {
 public:
  explicit Output(int descriptor, std::size_t buffer_bytes = 1 << 20);

  /// The text waiting to be written: append to it, then call Written.
  std::string& buffer() { return buffer_; }
  /// Flushes if enough has gathered (or after each call, once LineByLine was asked for).
  void Written() {
    if (line_by_line_ || buffer_.size() >= buffer_bytes_) Flush();
  }
  void Write(std::string_view text) {
    buffer_.append(text);
    Written();
  }
  void Flush();
  void LineByLine() { line_by_line_ = true; }

  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  /// Writing is over: the reader went away, or an error. More writes are dropped.
  [[nodiscard]] bool stopped() const { return reader_gone_ || error_number_ != 0; }
  [[nodiscard]] bool reader_gone() const { return reader_gone_; }
  /// Flushes. kOutOfSpace or kInternal if something could not be written; a reader who left is no error.
  Result<void> Finish();

 private:
  const int descriptor_;
  const std::size_t buffer_bytes_;
  const bool is_terminal_;
  bool line_by_line_ = false;
  bool reader_gone_ = false;
  int error_number_ = 0;
  std::string buffer_;
};

}  // namespace millrace
