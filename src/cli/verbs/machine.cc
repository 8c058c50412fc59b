#include "cli/verbs/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace millrace {
namespace {

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string FileSystemName(const std::filesystem::path& directory) {
  struct statfs status{};
  if (::statfs(directory.c_str(), &status) != 0) return "unknown";
  switch (static_cast<std::uint64_t>(status.f_type)) {
    case 0xEF53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683E:
      return "btrfs";
    case 0x01021994:
      return "tmpfs";
    case 0x794C7630:
      return "overlay";
    case 0x6969:
      return "nfs";
    default:
      return fmt::format("type {:x}", static_cast<std::uint64_t>(status.f_type));
  }
}

}  // namespace

Machine DescribeMachine(const std::filesystem::path& directory) {
  Machine machine{.cpu = CpuName(), .file_system = FileSystemName(directory)};
  machine.cores = std::thread::hardware_concurrency();
  machine.memory_bytes =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  utsname name{};
  if (::uname(&name) == 0) machine.kernel = name.release;
  return machine;
}

}  // namespace millrace
