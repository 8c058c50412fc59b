// A server under test as a process of its own, so that its processor time is known apart from the generator's. Every
// server runs on the first core, whatever its make, and the generator (PinGenerator) on the others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace millrace::bench {

/// Killed in the end. Not thread-safe.
class ServerProcess {
 public:
  /// Runs `command`, its output to `log`, and waits until `port` answers; ends the program if it does not in 90 s.
  ServerProcess(const std::vector<std::string>& command, std::uint16_t port, const std::filesystem::path& log);
  /// Runs `serve` in a forked process instead of a command.
  ServerProcess(const std::function<void()>& serve, std::uint16_t port);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// User and system time of all its threads so far.
  [[nodiscard]] double CpuSeconds() const;
  /// Its resident set.
  [[nodiscard]] double ResidentKib() const;

 private:
  void AwaitAnswer() const;

  pid_t process_ = -1;
  std::uint16_t port_;
};

/// A port of the loopback interface that was free a moment ago.
std::uint16_t FreePort();
/// Keeps this thread and those that it starts off the servers' core, if the machine has another.
void PinGenerator();

}  // namespace millrace::bench
