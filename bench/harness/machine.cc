#include "bench/harness/machine.h"

#include <fmt/core.h>
#include <isa-l.h>
#include <leveldb/db.h>
#include <rocksdb/version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace millrace::bench {

namespace {

/// The value of the first line `key : value` of a file under /proc.
std::string ProcValue(const char* file, std::string_view key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    if (colon != std::string::npos) return line.substr(line.find_first_not_of(" \t", colon + 1));
  }
  return "unknown";
}

/// Type and device of the mount that holds `path`, from the longest mount point that is a prefix of it.
std::string FileSystemOf(const std::filesystem::path& path) {
  const std::string target = std::filesystem::weakly_canonical(path).string();
  std::ifstream mounts("/proc/self/mounts");
  std::string found = "unknown";
  std::size_t longest = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, type;
    words >> device >> point >> type;
    if (target.starts_with(point) && point.size() >= longest) {
      longest = point.size();
      found = type + " on " + device;
    }
  }
  return found;
}

}  // namespace

Machine DescribeMachine(const std::filesystem::path& directory) {
  utsname names{};
  uname(&names);
  Machine machine;
  machine.cpu = ProcValue("/proc/cpuinfo", "model name");
  machine.kernel = std::string(names.sysname) + " " + names.release;
  machine.file_system = FileSystemOf(directory);
  machine.compiler = __VERSION__;
  machine.cores = std::thread::hardware_concurrency();
  machine.memory_gib =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1u << 30);
  machine.versions = fmt::format("millrace {}, LevelDB {}.{}, RocksDB {}.{}.{}, ISA-L {}.{}.{}", MILLRACE_VERSION,
                                 leveldb::kMajorVersion, leveldb::kMinorVersion, ROCKSDB_MAJOR, ROCKSDB_MINOR,
                                 ROCKSDB_PATCH, ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION);
  return machine;
}

std::string Machine::ToText() const {
  return fmt::format("{} ({} cores), {:.0f} GiB, {}, {}; {}; {}", cpu, cores, memory_gib, kernel, file_system, versions,
                     compiler);
}

}  // namespace millrace::bench
