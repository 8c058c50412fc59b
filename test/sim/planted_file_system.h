// The mistakes with syncs that a WAL could make, planted where they would show: between it and its disk.
#pragma once

#include <memory>

#include "env/forwarding_file_system.h"

namespace millrace::sim {

/// Forwards every call; the one bug that is switched on changes the answer of a sync.
class PlantedFileSystem final : public ForwardingFileSystem {
 public:
  explicit PlantedFileSystem(FileSystem& below) : ForwardingFileSystem(below) {}

  Result<void> SyncDirectory(const std::filesystem::path& path) override;

 private:
  std::unique_ptr<File> Wrap(std::unique_ptr<File> file) override;
};

}  // namespace millrace::sim
