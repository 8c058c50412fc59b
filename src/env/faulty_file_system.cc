#include "env/faulty_file_system.h"

#include <utility>

#include "base/try.h"

namespace millrace {
namespace {

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& faults, std::unique_ptr<File> below) : faults_(faults), below_(std::move(below)) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    MR_TRY(faults_.Enter());
    return below_->ReadAt(offset, out);
  }
  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    MR_TRY(faults_.Enter());
    return below_->WriteAt(offset, bytes);
  }
  Result<void> ReadMany(std::span<FileRead> plan) override {
    MR_TRY(faults_.Enter());
    return below_->ReadMany(plan);
  }
  Result<void> WriteMany(std::span<const FileWrite> plan) override {
    MR_TRY(faults_.Enter());
    return below_->WriteMany(plan);
  }
  Result<void> Sync() override {
    MR_TRY(faults_.Enter());
    return below_->Sync();
  }
  Result<void> Allocate(std::uint64_t size) override {
    MR_TRY(faults_.Enter());
    return below_->Allocate(size);
  }
  Result<void> Truncate(std::uint64_t size) override {
    MR_TRY(faults_.Enter());
    return below_->Truncate(size);
  }
  Result<std::uint64_t> Size() override {
    MR_TRY(faults_.Enter());
    return below_->Size();
  }
  Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override {
    MR_TRY(faults_.Enter());
    return below_->Map(size);
  }

 private:
  FaultyFileSystem& faults_;
  const std::unique_ptr<File> below_;
};

}  // namespace

void FaultyFileSystem::SetPlan(Plan plan) {
  auto shared = plan ? std::make_shared<const Plan>(std::move(plan)) : nullptr;
  MutexLock lock(mutex_);
  plan_ = std::move(shared);
}

void FaultyFileSystem::FailCall(std::uint64_t n, Error error) {
  SetPlan([n, error](std::uint64_t call) { return call == n ? std::optional(error) : std::nullopt; });
}

std::uint64_t FaultyFileSystem::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

Result<void> FaultyFileSystem::Enter() {
  std::shared_ptr<const Plan> plan;
  std::uint64_t call = 0;
  {
    MutexLock lock(mutex_);
    call = ++calls_;
    plan = plan_;
  }
  if (!plan) return {};
  if (auto error = (*plan)(call)) return *std::move(error);
  return {};
}

Result<std::unique_ptr<File>> FaultyFileSystem::Open(const std::filesystem::path& path, const FileOptions& options) {
  MR_TRY(Enter());
  MR_ASSIGN_OR_RETURN(auto file, below_.Open(path, options));
  return std::make_unique<FaultyFile>(*this, std::move(file));
}

Result<void> FaultyFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  MR_TRY(Enter());
  return below_.Rename(from, to);
}

Result<void> FaultyFileSystem::RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) {
  MR_TRY(Enter());
  return below_.RenameIfAbsent(from, to);
}

Result<void> FaultyFileSystem::Remove(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.Remove(path);
}

Result<void> FaultyFileSystem::CreateDirectories(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.CreateDirectories(path);
}

Result<void> FaultyFileSystem::SyncDirectory(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.SyncDirectory(path);
}

Result<std::vector<DirectoryEntry>> FaultyFileSystem::List(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.List(path);
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::Lock(const std::filesystem::path& path, std::string_view holder) {
  MR_TRY(Enter());
  return below_.Lock(path, holder);
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::LockShared(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.LockShared(path);
}

Result<std::uint64_t> FaultyFileSystem::FreeSpace(const std::filesystem::path& path) {
  MR_TRY(Enter());
  return below_.FreeSpace(path);
}

}  // namespace millrace
