// What an engine costs that no caller uses: memory it holds, and how often its threads wake.
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

/// The number after `key` in a status file of /proc; 0 if it is gone.
std::uint64_t StatusNumber(const std::filesystem::path& file, std::string_view key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size(), nullptr, 10);
  }
  return 0;
}

std::uint64_t SwitchesOf(pid_t process) {
  std::uint64_t total = 0;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process))) {
    total += StatusNumber(thread.path() / "status", "voluntary_ctxt_switches:");
  }
  return total;
}

/// A process that opened an engine, appended once and now waits.
class IdleProcess {
 public:
  explicit IdleProcess(const std::filesystem::path& directory, const Payloads& payloads) {
    int ready[2];
    if (pipe(ready) != 0) Die("pipe");
    process_ = fork();
    if (process_ == 0) {
      {
        OpenedEngine engine(QuietOptions(directory), 1);
        engine.Append(OpenedEngine::Partition(0), {&payloads.record(0), 1}, Durability::kDisk);
        if (write(ready[1], "r", 1) != 1) _exit(1);
        pause();
      }
      _exit(0);
    }
    close(ready[1]);
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) Die("the idle engine did not open");
    close(ready[0]);
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  ~IdleProcess() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  IdleProcess(const IdleProcess&) = delete;
  IdleProcess& operator=(const IdleProcess&) = delete;
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  pid_t process_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  Suite suite("idle", argc, argv);
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte, 1);
  suite.Compare({"idle engine, memory",
                 "MiB",
                 "resident set (VmRSS) of a process with one open engine, one topic, one append, a second later",
                 Better::kLower,
                 {{{}, 20}}},
                {{"millrace", [&] {
                    const IdleProcess idle(suite.FreshDirectory("engine"), payloads);
                    return static_cast<double>(StatusNumber(fmt::format("/proc/{}/status", idle.process()), "VmRSS:")) /
                           1024;
                  }}});
  suite.Compare({"idle engine, wake-ups",
                 "wake-ups in 5 s",
                 "voluntary context switches of all threads; no timer is due",
                 Better::kLower,
                 {{{}, 0}}},
                {{"millrace", [&] {
                    const IdleProcess idle(suite.FreshDirectory("engine"), payloads);
                    const std::uint64_t before = SwitchesOf(idle.process());
                    std::this_thread::sleep_for(std::chrono::seconds(5));
                    return static_cast<double>(SwitchesOf(idle.process()) - before);
                  }}});
  return 0;
}
