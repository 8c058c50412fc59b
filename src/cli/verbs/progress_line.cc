#include "cli/verbs/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

namespace millrace {

bool ProgressLine::IsTerminal() { return ::isatty(STDERR_FILENO) == 1; }

double ProgressLine::Rate(std::uint64_t done) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  return seconds > 0 ? static_cast<double>(done) / seconds : 0;
}

void ProgressLine::Show(std::uint64_t done, std::uint64_t all, std::string_view what) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || (now - shown_ < std::chrono::milliseconds(100) && done < all)) return;
  shown_ = now;
  const double rate = Rate(done);
  const double left = rate > 0 ? static_cast<double>(all - done) / rate : 0;
  const std::string line = fmt::format("\rmillrace: {} of {} objects, {}{}{:.0f} s left\x1b[K{}", done, all, what,
                                       what.empty() ? "" : ", ", left, done == all ? "\n" : "");
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace millrace
