#include "bench/wire/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

namespace millrace::bench {
namespace {

constexpr double kAnswerWithinSeconds = 90;

void Pin(unsigned first, unsigned end) {
  if (std::thread::hardware_concurrency() < 2) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (unsigned core = first; core < end; ++core) CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) Die("a process cannot be pinned");
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool Answers(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool connected = connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(socket);
  return connected;
}

/// In the child: on the first core, gone with its parent.
void BecomeServer() {
  Pin(0, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace

std::uint16_t FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("no port is free");
  }
  close(socket);
  return ntohs(address.sin_port);
}

void PinGenerator() { Pin(1, std::max(2U, std::thread::hardware_concurrency())); }

ServerProcess::ServerProcess(const std::vector<std::string>& command, std::uint16_t port,
                             const std::filesystem::path& log)
    : port_(port) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  process_ = fork();
  if (process_ == 0) {
    BecomeServer();
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  AwaitAnswer();
}

ServerProcess::ServerProcess(const std::function<void()>& serve, std::uint16_t port) : port_(port) {
  process_ = fork();
  if (process_ == 0) {
    BecomeServer();
    serve();
    _exit(0);
  }
  AwaitAnswer();
}

ServerProcess::~ServerProcess() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void ServerProcess::AwaitAnswer() const {
  const Stopwatch watch;
  while (!Answers(port_)) {
    if (waitpid(process_, nullptr, WNOHANG) != 0 || watch.seconds() > kAnswerWithinSeconds) {
      Die(fmt::format("the server on port {} does not answer", port_));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

double ServerProcess::CpuSeconds() const {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process_, &clock) != 0 || clock_gettime(clock, &time) != 0) Die("the server is gone");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double ServerProcess::ResidentKib() const {
  std::ifstream status(fmt::format("/proc/{}/status", process_));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr);
  }
  Die("the server is gone");
}

}  // namespace millrace::bench
