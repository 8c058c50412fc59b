// Ctrl-C. Without an Interrupt the program ends at once with 130, not by the signal. With one, SIGINT becomes something
// to look at between two steps, so that what was begun is finished and what was printed is committed; a second one ends
// at once.
#pragma once

#include <functional>
#include <memory>

namespace millrace {

/// SIGINT ends by exit code 130, SIGPIPE is ignored (a write fails with EPIPE instead). Once, at the start of main.
void InstallSignalActions();

/// Made before any thread starts: threads inherit the mask under which the signal waits.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// True from the first SIGINT on. Cost: one system call while there was none.
  bool Raised();
  /// Readable when SIGINT came: to be polled beside other descriptors.
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  bool raised_ = false;
};

/// Calls `action` on a thread of its own when SIGINT comes, at most once; the destructor ends the watching.
class InterruptWatch {
 public:
  InterruptWatch(Interrupt& interrupt, std::function<void()> action);
  ~InterruptWatch();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
