#include "planted_file_system.h"

#include <utility>

#include "base/bugs.h"

namespace millrace::sim {

Result<void> PlantedFileSystem::SyncDirectory(const std::filesystem::path& path) {
  if (Planted(Bug::kWalSkipDirectorySync)) return {};
  return ForwardingFileSystem::SyncDirectory(path);
}

std::unique_ptr<File> PlantedFileSystem::Wrap(std::unique_ptr<File> file) {
  class PlantedFile final : public OpenedFile {
   public:
    using OpenedFile::OpenedFile;
    Result<void> Sync() override {
      if (Planted(Bug::kWalAckBeforeSync)) return {};
      Result<void> synced = OpenedFile::Sync();
      if (!synced && Planted(Bug::kWalRetryAfterFailedSync)) return OpenedFile::Sync();
      return synced;
    }
  };
  return std::make_unique<PlantedFile>(*this, std::move(file));
}

}  // namespace millrace::sim
