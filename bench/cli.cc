// The binary on a real log: a million lines in from a file, and out to one. The text is what this machine holds,
// repeated.
#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace::bench;

namespace {

constexpr std::size_t kLines = 1'000'000;

struct Finished {
  double seconds = 0, memory_mib = 0;
};

/// The lines of the package status and of every package's file list, again and again until there are a million.
void WriteText(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> sources = {"/var/lib/dpkg/status"};
  for (const auto& entry : std::filesystem::directory_iterator("/var/lib/dpkg/info")) {
    if (entry.path().extension() == ".list" || entry.path().extension() == ".md5sums") sources.push_back(entry.path());
  }
  std::sort(sources.begin() + 1, sources.end());
  std::ofstream out(path, std::ios::binary);
  for (std::size_t lines = 0; lines < kLines;) {
    const std::size_t before = lines;
    for (const auto& source : sources) {
      std::ifstream in(source, std::ios::binary);
      for (std::string line; lines < kLines && std::getline(in, line); ++lines) out << line << '\n';
    }
    if (lines == before) Die("this machine holds no package lists");
  }
}

/// Runs `command` with stdin and stdout on files; ends the program unless it succeeds.
Finished Run(const std::vector<std::string>& command, const std::filesystem::path& in,
             const std::filesystem::path& out) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&files, 2, (out.string() + ".stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const Stopwatch watch;
  pid_t process = 0;
  if (posix_spawn(&process, arguments[0], &files, nullptr, arguments.data(), environ) != 0)
    Die("cannot run " + command[0]);
  int status = 0;
  rusage usage{};
  wait4(process, &status, 0, &usage);
  const double seconds = watch.seconds();
  posix_spawn_file_actions_destroy(&files);
  if (status != 0) Die(fmt::format("{} {} failed with status {}", command[0], command[1], status));
  return {seconds, static_cast<double>(usage.ru_maxrss) / 1024};
}

bool SameBytes(const std::filesystem::path& a, const std::filesystem::path& b) {
  return Run({"/usr/bin/cmp", a.string(), b.string()}, "/dev/null", a.string() + ".cmp").seconds >= 0;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("cli", argc, argv);
  const std::string millrace =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path() / "bin/millrace";
  const auto directory = suite.FreshDirectory("cli");
  const auto text = directory.parent_path().parent_path() / "text", out = directory.parent_path().parent_path() / "out";
  WriteText(text);
  const auto data = [&] { return (directory / "data").string(); };
  double produce_memory = 0, consume_memory = 0;
  const auto produce = [&] {
    std::filesystem::remove_all(data());
    std::filesystem::create_directories(directory);
    Run({millrace, "topic", "create", "t", "--data-dir", data()}, "/dev/null", out);
    const Finished run = Run({millrace, "produce", "t", "--acks", "disk", "--data-dir", data()}, text, out);
    produce_memory = std::max(produce_memory, run.memory_mib);
    return kLines / run.seconds;
  };
  const auto consume = [&] {
    const Finished run = Run({millrace, "consume", "t", "--from", "earliest", "--data-dir", data()}, "/dev/null", out);
    consume_memory = std::max(consume_memory, run.memory_mib);
    SameBytes(text, out);
    return kLines / run.seconds;
  };
  suite.Compare({"millrace produce, 1 M lines",
                 "lines/s",
                 "package lists of this machine, one record a line, kDisk, whole process from start to exit",
                 Better::kHigher,
                 {{{}, 0.5e6}}},
                {{"millrace produce", produce}});
  produce();
  suite.Compare({"millrace consume, 1 M lines",
                 "lines/s",
                 "the same to a file, whole process; output compared byte for byte",
                 Better::kHigher,
                 {{{}, 1.5e6}}},
                {{"millrace consume", consume}});
  suite.Compare(
      {"millrace produce, memory", "MiB", "largest resident set over the runs above", Better::kLower, {{{}, 300}}},
      {{"millrace produce", [&] { return produce_memory; }}});
  suite.Compare(
      {"millrace consume, memory", "MiB", "largest resident set over the runs above", Better::kLower, {{{}, 300}}},
      {{"millrace consume", [&] { return consume_memory; }}});
  return 0;
}
