// The WAL files of a log, looked at from outside. Nothing is opened for writing and no lock is taken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "inspect/wal_scan.h"
#include "millrace/result.h"

namespace millrace {

struct WalFileView {
  std::string name;
  std::uint64_t size_bytes = 0;
  WalScan scan;
};

/// All WAL files, oldest first; those in the pool after them. Cost: reads every one of them, one at a time.
Result<std::vector<WalFileView>> ScanWalDirectory(const std::filesystem::path& directory);

struct WalDamageFound {
  std::string file;
  FileRange range;
  std::string reason;
};

/// What is damaged in files that follow each other on the line; a file that is missing between two others included.
std::vector<WalDamageFound> DamageIn(const std::vector<WalFileView>& files);

}  // namespace millrace
