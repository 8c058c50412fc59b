#include "bench/harness/walrus_peer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "bench/harness/suite.h"

namespace millrace::bench {

WalrusPeer::WalrusPeer(const std::filesystem::path& driver, const std::filesystem::path& directory,
                       std::string_view schedule, std::string_view consistency, std::uint64_t seed) {
  std::array<int, 2> commands{}, answers{};
  if (::pipe2(commands.data(), O_CLOEXEC) != 0 || ::pipe2(answers.data(), O_CLOEXEC) != 0) Die("pipe");
  std::vector<std::string> words = {driver.native(), std::string(schedule), std::string(consistency),
                                    std::to_string(seed)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> settings = {"WALRUS_DATA_DIR=" + std::filesystem::absolute(directory).native(),
                                       "WALRUS_QUIET=1"};
  std::vector<char*> environment;
  for (std::string& setting : settings) environment.push_back(setting.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, commands[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, answers[1], STDOUT_FILENO);
  if (::posix_spawn(&process_, driver.c_str(), &actions, nullptr, arguments.data(), environment.data()) != 0) {
    Die(fmt::format("cannot start {}", driver.native()));
  }
  posix_spawn_file_actions_destroy(&actions);
  ::close(commands[0]);
  ::close(answers[1]);
  commands_ = commands[1];
  answers_ = answers[0];
  const std::string line = Line();
  if (!line.starts_with("opened ")) Die("the peer said: " + line);
  open_seconds_ = std::strtod(line.c_str() + 7, nullptr);
}

WalrusPeer::~WalrusPeer() {
  ::close(commands_);
  ::close(answers_);
  ::waitpid(process_, nullptr, 0);
}

std::vector<double> WalrusPeer::Ask(const std::string& command) {
  const std::string line = command + "\n";
  if (::write(commands_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) Die("the peer is gone");
  const std::string answer = Line();
  std::istringstream words(answer);
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    char* end = nullptr;
    numbers.push_back(std::strtod(word.c_str(), &end));
    if (*end != '\0') Die("the peer said: " + answer);
  }
  if (numbers.empty()) Die("the peer gave no answer to " + command);
  return numbers;
}

std::string WalrusPeer::Line() {
  std::string line;
  for (char byte = 0;;) {
    if (::read(answers_, &byte, 1) != 1) Die("the peer died");
    if (byte == '\n') return line;
    line += byte;
  }
}

}  // namespace millrace::bench
