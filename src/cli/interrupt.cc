#include "cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <thread>

#include "cli/exit_code.h"

namespace millrace {
namespace {

using Time = std::chrono::steady_clock;

sigset_t SetOf(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

void ChangeMask(int how, std::initializer_list<int> signals) {
  const sigset_t set = SetOf(signals);
  ::pthread_sigmask(how, &set, nullptr);
}

void Act(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;  // no SA_RESTART: a write that waits for its reader is to end
  ::sigaction(signal, &action, nullptr);
}

void Ring(int descriptor) {
  const std::uint64_t one = 1;
  (void)!::write(descriptor, &one, sizeof one);
}

}  // namespace

void InstallSignalActions() {
  Act(SIGINT, [](int) { ::_exit(static_cast<int>(ExitCode::kInterrupted)); });
  Act(SIGURG, [](int) {});  // sent to the verb's thread after a SIGINT, to end a system call that waits
  Act(SIGPIPE, SIG_IGN);
  Act(SIGXFSZ, SIG_IGN);
}

void FillStandardDescriptors() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is taken, and all below are in use. Read-only: who writes is told, and moves no position.
    (void)::open("/dev/null", O_RDONLY);
  }
}

struct Interrupt::State {
  State() : verb(::pthread_self()) {}
  ~State() {
    for (int descriptor : {signals, changed, stopped}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }
  [[nodiscard]] bool whole() const { return signals >= 0 && changed >= 0 && stopped >= 0; }

  void Listen();
  void Stop();
  int WaitMs() const;
  void AfterStop() const;

  const pthread_t verb;  // the thread that made it and runs the verb
  int signals = -1;
  const int changed = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // something below is for the listener to see
  const int stopped = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::stop_source source;
  std::atomic<bool> raised = false, over = false, terminated = false;
  std::atomic<int> reader = -1;
  std::atomic<std::int64_t> grace_ms = 1'000;
  Time::time_point since;  // of the listener: when SIGINT came
  std::thread listener;
};

void Interrupt::State::Stop() {
  Ring(stopped);
  source.request_stop();
}

int Interrupt::State::WaitMs() const { return raised ? 50 : -1; }

/// A system call that waits is ended again and again: the first signal may come before it begins to wait.
void Interrupt::State::AfterStop() const {
  if (!raised) return;
  ::pthread_kill(verb, SIGURG);
  if (Time::now() - since < std::chrono::milliseconds(grace_ms)) return;
  constexpr std::string_view kTold = "millrace: interrupted; what was begun is not waited for any longer\n";
  (void)!::write(STDERR_FILENO, kTold.data(), kTold.size());
  ::_exit(static_cast<int>(ExitCode::kInterrupted));
}

void Interrupt::State::Listen() {
  // Until a verb obeys it, it is for another thread, and ends the program.
  ChangeMask(SIG_BLOCK, {SIGTERM});
  while (!over) {
    std::array<pollfd, 3> entries{pollfd{raised ? -1 : signals, POLLIN, 0}, pollfd{changed, POLLIN, 0},
                                  pollfd{reader, 0, 0}};
    if (::poll(entries.data(), entries.size(), WaitMs()) < 0) continue;
    std::uint64_t count = 0;
    if (entries[1].revents != 0) (void)!::read(changed, &count, sizeof count);
    if (entries[2].revents != 0) {
      reader = -1;
      Stop();
    }
    if (entries[0].revents != 0) {
      signalfd_siginfo taken;
      if (::read(signals, &taken, sizeof taken) == sizeof taken && taken.ssi_signo == SIGTERM) terminated = true;
      // The next one is for this thread and ends the program, whatever a callback of the stop waits for.
      ChangeMask(SIG_UNBLOCK, {SIGINT, SIGTERM});
      since = Time::now();
      raised = true;
      Stop();
    }
    AfterStop();
  }
}

Interrupt::Interrupt() : state_(std::make_unique<State>()) {
  ChangeMask(SIG_BLOCK, {SIGINT});
  const sigset_t set = SetOf({SIGINT});
  state_->signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (state_->whole()) {
    try {
      state_->listener = std::thread([state = state_.get()] { state->Listen(); });
      return;
    } catch (const std::system_error&) {  // no thread to be had
    }
  }
  ChangeMask(SIG_UNBLOCK, {SIGINT});
}

Interrupt::~Interrupt() {
  if (!state_->listener.joinable()) return;
  state_->over = true;
  Ring(state_->changed);
  state_->listener.join();
}

bool Interrupt::Raised() const { return state_->raised; }

std::stop_token Interrupt::token() const { return state_->source.get_token(); }

int Interrupt::descriptor() const { return state_->stopped; }

bool Interrupt::WatchReader(int descriptor) {
  if (!state_->listener.joinable()) return false;
  state_->reader = descriptor;
  Ring(state_->changed);
  return true;
}

void Interrupt::AllowGrace(std::chrono::milliseconds grace) { state_->grace_ms = grace.count(); }

void Interrupt::ObeyTermination() {
  if (!state_->listener.joinable()) return;
  ChangeMask(SIG_BLOCK, {SIGTERM});
  const sigset_t set = SetOf({SIGINT, SIGTERM});
  (void)::signalfd(state_->signals, &set, 0);
}

bool Interrupt::Terminated() const { return state_->terminated; }

}  // namespace millrace
