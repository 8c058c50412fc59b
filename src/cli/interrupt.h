// Ctrl-C. Before there is an Interrupt the program ends at once with 130, not by the signal. With one, the first SIGINT
// asks for a stop, so that what was begun is finished, what was printed is committed, and waits for a store end; a
// second one ends at once.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>

namespace millrace {

/// SIGINT ends by exit code 130; SIGPIPE and SIGXFSZ are ignored (a write fails with EPIPE or EFBIG instead). Once, at
/// the start of main.
void InstallSignalActions();
/// Opens /dev/null in the place of a standard descriptor that is closed, so that no file of the log gets its number:
/// standard input is then empty, and what is written to the others fails. Before anything else is opened.
void FillStandardDescriptors();

/// Made before any other thread starts: threads inherit the mask under which the signal waits. Its own thread listens;
/// where none can be had, SIGINT goes on ending the program at once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// From the first SIGINT on.
  [[nodiscard]] bool Raised() const;
  /// From the first SIGINT on, or since a watched reader went away.
  [[nodiscard]] bool Stopped() const { return token().stop_requested(); }
  [[nodiscard]] std::stop_token token() const;
  /// Readable once Stopped(): to be polled beside other descriptors. -1: there is none.
  [[nodiscard]] int descriptor() const;

  /// From now on a stop is also asked for when `descriptor` has no reader any more (the end of a pipe, a terminal).
  /// False: that cannot be watched.
  bool WatchReader(int descriptor);
  /// For a verb that looks at Stopped() between its steps: it is given so long to end by itself; others have a second.
  void AllowGrace(std::chrono::milliseconds grace = std::chrono::seconds(10));
  /// SIGTERM asks for a stop too from now on; a second one ends the program by the signal. Called by the verb's thread
  /// before it starts others.
  void ObeyTermination();
  /// The stop was asked for by SIGTERM.
  [[nodiscard]] bool Terminated() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
