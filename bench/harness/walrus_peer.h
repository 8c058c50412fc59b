// The crate walrus-rust, driven by lines (bench/peers/walrus says which): a process for one directory, one fsync mode
// and one consistency.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::bench {

/// One thread. Ends the program if the driver dies or answers what is no number.
class WalrusPeer {
 public:
  /// `schedule`: "none", "each" or milliseconds; `consistency`: "strict" or how often positions are persisted.
  WalrusPeer(const std::filesystem::path& driver, const std::filesystem::path& directory, std::string_view schedule,
             std::string_view consistency, std::uint64_t seed);
  ~WalrusPeer();
  WalrusPeer(const WalrusPeer&) = delete;
  WalrusPeer& operator=(const WalrusPeer&) = delete;

  /// What it took to open, by the driver's own clock.
  [[nodiscard]] double open_seconds() const { return open_seconds_; }
  /// The numbers of its answer.
  std::vector<double> Ask(const std::string& command);

 private:
  std::string Line();

  pid_t process_ = -1;
  int commands_ = -1, answers_ = -1;
  double open_seconds_ = 0;
};

}  // namespace millrace::bench
