// How far a long verb has come: a line that is written over, on a terminal alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace millrace {

class ProgressLine {
 public:
  /// "3 of 9 objects, WHAT, 4 s left": at most ten times a second, and at the end. `what` may be empty.
  void Show(std::uint64_t done, std::uint64_t all, std::string_view what = {});
  /// A second, since the line was made.
  [[nodiscard]] double Rate(std::uint64_t done) const;

 private:
  const bool terminal_ = IsTerminal();
  static bool IsTerminal();
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace millrace
