#include "cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/check.h"
#include "cli/exit_code.h"

namespace millrace {
namespace {

sigset_t InterruptSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

bool IsReadable(int descriptor) {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

void InstallSignalActions() {
  struct sigaction quit{};
  quit.sa_handler = [](int) { ::_exit(static_cast<int>(ExitCode::kInterrupted)); };
  ::sigaction(SIGINT, &quit, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

Interrupt::Interrupt() {
  sigset_t set = InterruptSet();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  MR_CHECK(descriptor_ >= 0);
}

Interrupt::~Interrupt() { ::close(descriptor_); }

bool Interrupt::Raised() {
  if (raised_ || !IsReadable(descriptor_)) return raised_;
  raised_ = true;
  // The signal that waits is taken off, so that unblocking lets only a second one through.
  signalfd_siginfo taken;
  (void)!::read(descriptor_, &taken, sizeof taken);
  sigset_t set = InterruptSet();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return true;
}

struct InterruptWatch::State {
  int stop = ::eventfd(0, EFD_CLOEXEC);
  std::jthread thread;
};

InterruptWatch::InterruptWatch(Interrupt& interrupt, std::function<void()> action) : state_(std::make_unique<State>()) {
  MR_CHECK(state_->stop >= 0);
  state_->thread = std::jthread([signal = interrupt.descriptor(), stop = state_->stop, action = std::move(action)] {
    std::array<pollfd, 2> entries{pollfd{signal, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
    while (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (entries[0].revents != 0) action();
  });
}

InterruptWatch::~InterruptWatch() {
  std::uint64_t one = 1;
  (void)!::write(state_->stop, &one, sizeof one);
  state_->thread.join();
  ::close(state_->stop);
}

}  // namespace millrace
