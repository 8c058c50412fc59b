// Standard output and standard error. Data goes to `out`, everything else to `err`. Writes are gathered in one large
// buffer; a reader who went away (SIGPIPE is ignored) ends the program quietly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

class Table;

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
  /// For people on a terminal, for programs elsewhere.
  void Write(const Table& table);
  /// Waits for a reader who is slow, also where the descriptor is non-blocking.
  void Flush();
  void LineByLine() { line_by_line_ = true; }
  /// A write that waits for its reader ends when `stop` is requested (and a signal comes to this thread).
  void ObeyStop(std::stop_token stop) { stop_ = std::move(stop); }

  /// All bytes given to it so far: where the text written next begins.
  [[nodiscard]] std::uint64_t end() const { return flushed_ + buffer_.size(); }
  /// How many of them have left for good. What lies unread in a pipe whose reader is gone has not: it was never read.
  [[nodiscard]] std::uint64_t taken();
  /// Finds out without writing whether the reader went away.
  void LookForReader();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  /// Writing is over: the reader went away, an error, or a stop while it waited. More writes are dropped.
  [[nodiscard]] bool stopped() const { return reader_gone_ || interrupted_ || error_number_ != 0; }
  /// Flushes. kOutOfSpace or kInternal if something could not be written; a reader who left is no error.
  Result<void> Finish();

 private:
  void FailedWrite(int error_number);

  const int descriptor_;
  const std::size_t buffer_bytes_;
  const bool is_terminal_;
  bool line_by_line_ = false;
  bool reader_gone_ = false;
  bool interrupted_ = false;
  int error_number_ = 0;
  std::stop_token stop_;
  std::uint64_t flushed_ = 0;  // given, and no longer in the buffer: written or dropped
  std::uint64_t written_ = 0;  // taken by the descriptor
  std::string buffer_;
};

}  // namespace millrace
