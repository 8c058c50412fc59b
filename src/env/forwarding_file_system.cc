#include "env/forwarding_file_system.h"

#include "base/try.h"

namespace millrace {

Result<std::size_t> ForwardingFileSystem::OpenedFile::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  MR_TRY(owner_.Before());
  return below_->ReadAt(offset, out);
}

Result<void> ForwardingFileSystem::OpenedFile::WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) {
  MR_TRY(owner_.Before());
  return below_->WriteAt(offset, bytes);
}

Result<void> ForwardingFileSystem::OpenedFile::ReadMany(std::span<FileRead> plan) {
  MR_TRY(owner_.Before());
  return below_->ReadMany(plan);
}

Result<void> ForwardingFileSystem::OpenedFile::WriteMany(std::span<const FileWrite> plan) {
  MR_TRY(owner_.Before());
  return below_->WriteMany(plan);
}

Result<void> ForwardingFileSystem::OpenedFile::Sync() {
  MR_TRY(owner_.Before());
  return below_->Sync();
}

Result<void> ForwardingFileSystem::OpenedFile::Allocate(std::uint64_t size) {
  MR_TRY(owner_.Before());
  return below_->Allocate(size);
}

Result<void> ForwardingFileSystem::OpenedFile::Truncate(std::uint64_t size) {
  MR_TRY(owner_.Before());
  return below_->Truncate(size);
}

Result<std::uint64_t> ForwardingFileSystem::OpenedFile::Size() {
  MR_TRY(owner_.Before());
  return below_->Size();
}

Result<std::unique_ptr<MappedRegion>> ForwardingFileSystem::OpenedFile::Map(std::size_t size) {
  MR_TRY(owner_.Before());
  return below_->Map(size);
}

Result<std::unique_ptr<File>> ForwardingFileSystem::Open(const std::filesystem::path& path,
                                                         const FileOptions& options) {
  MR_TRY(Before());
  MR_ASSIGN_OR_RETURN(auto file, below_.Open(path, options));
  return Wrap(std::move(file));
}

Result<void> ForwardingFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  MR_TRY(Before());
  return below_.Rename(from, to);
}

Result<void> ForwardingFileSystem::RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) {
  MR_TRY(Before());
  return below_.RenameIfAbsent(from, to);
}

Result<void> ForwardingFileSystem::Remove(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.Remove(path);
}

Result<void> ForwardingFileSystem::CreateDirectories(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.CreateDirectories(path);
}

Result<void> ForwardingFileSystem::SyncDirectory(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.SyncDirectory(path);
}

Result<std::vector<DirectoryEntry>> ForwardingFileSystem::List(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.List(path);
}

Result<std::unique_ptr<FileLock>> ForwardingFileSystem::Lock(const std::filesystem::path& path,
                                                             std::string_view holder) {
  MR_TRY(Before());
  return below_.Lock(path, holder);
}

Result<std::unique_ptr<FileLock>> ForwardingFileSystem::LockShared(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.LockShared(path);
}

Result<std::string> ForwardingFileSystem::FileMark(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.FileMark(path);
}

Result<std::uint64_t> ForwardingFileSystem::FreeSpace(const std::filesystem::path& path) {
  MR_TRY(Before());
  return below_.FreeSpace(path);
}

}  // namespace millrace
