#include "cli/verbs/machine_check.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include "text/units.h"

namespace millrace {
namespace {

constexpr std::uint64_t kFreeWarnBytes = 8ull << 30;  // twice the default budget of the hot tier
constexpr rlim_t kFilesWarn = 4'096;
constexpr std::chrono::milliseconds kSyncWarn{20};

std::filesystem::path NearestFolder(std::filesystem::path directory) {
  std::error_code ignored;
  directory = std::filesystem::absolute(directory, ignored);
  while (!std::filesystem::is_directory(directory, ignored) && directory.has_parent_path() &&
         directory != directory.parent_path()) {
    directory = directory.parent_path();
  }
  return directory;
}

Finding CheckSync(const std::filesystem::path& folder) {
  std::string path = (folder / ".millrace-doctor-").string() + std::string(6, 'X');  // mkostemp puts letters there
  const int file = ::mkostemp(path.data(), 0);
  if (file < 0) {
    return {FindingLevel::kFail, "sync",
            fmt::format("cannot write in {}: {}", folder.string(), std::generic_category().message(errno)),
            "Give this user the directory"};
  }
  std::array<std::chrono::nanoseconds, 9> took{};
  const std::array<char, 4096> page{};
  bool failed = false;
  for (auto& one : took) {
    const auto begin = std::chrono::steady_clock::now();
    failed = failed || ::pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size()) ||
             ::fdatasync(file) != 0;
    one = std::chrono::steady_clock::now() - begin;
  }
  ::close(file);
  ::unlink(path.c_str());
  if (failed)
    return {FindingLevel::kFail, "sync", fmt::format("writing and syncing in {} failed", folder.string()),
            "Look at the disk"};
  std::ranges::sort(took);
  const auto median = took[took.size() / 2];
  const std::string text =
      fmt::format("a synced write of 4 KiB takes {}", FormatNanoseconds(static_cast<std::uint64_t>(median.count())));
  if (median < kSyncWarn) return {FindingLevel::kOk, "sync", text, ""};
  return {FindingLevel::kWarn, "sync", text + "; each group of appends waits for one",
          "Use a faster disk, or --sync interval:5ms"};
}

Finding CheckSpace(const std::filesystem::path& folder) {
  std::error_code failed;
  const auto space = std::filesystem::space(folder, failed);
  if (failed) return {FindingLevel::kWarn, "disk", fmt::format("cannot be measured: {}", failed.message()), ""};
  const std::string text = fmt::format("{} free under {}", FormatBytes(space.available), folder.string());
  if (space.available >= kFreeWarnBytes) return {FindingLevel::kOk, "disk", text, ""};
  return {FindingLevel::kWarn, "disk", text + "; WAL and read cache may grow beyond that",
          "Make room, or lower their budgets"};
}

Finding CheckFiles() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {FindingLevel::kWarn, "ulimit", "cannot be read", ""};
  if (limit.rlim_cur >= kFilesWarn)
    return {FindingLevel::kOk, "ulimit", fmt::format("{} open files allowed", limit.rlim_cur), ""};
  return {FindingLevel::kWarn, "ulimit",
          fmt::format("only {} open files allowed; connections and cached files share them", limit.rlim_cur),
          "Raise it (ulimit -n, LimitNOFILE=)"};
}

}  // namespace

std::vector<Finding> CheckMachine(const std::filesystem::path& directory) {
  const std::filesystem::path folder = NearestFolder(directory);
  return {CheckSync(folder), CheckSpace(folder), CheckFiles()};
}

}  // namespace millrace
