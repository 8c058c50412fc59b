// What every decorator of a file system stands on: each call goes on to the file system below. A decorator overrides
// the calls it changes, or `Before`, which all that can fail pass, or both.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/file_system.h"

namespace millrace {

/// As safe from several threads as what is overridden. It and the file system below outlive the files opened through
/// it.
class ForwardingFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override;
  Result<std::unique_ptr<FileLock>> LockShared(const std::filesystem::path& path) override;
  Result<std::string> FileMark(const std::filesystem::path& path) override;
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override;
  [[nodiscard]] std::string_view io_back_end() const override { return below_.io_back_end(); }

 protected:
  explicit ForwardingFileSystem(FileSystem& below) : below_(below) {}

  /// One file opened through the decorator; its calls pass `Before` too.
  class OpenedFile : public File {
   public:
    OpenedFile(ForwardingFileSystem& owner, std::unique_ptr<File> below) : owner_(owner), below_(std::move(below)) {}
    Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override;
    Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override;
    Result<void> ReadMany(std::span<FileRead> plan) override;
    Result<void> WriteMany(std::span<const FileWrite> plan) override;
    Result<void> Sync() override;
    Result<void> Allocate(std::uint64_t size) override;
    Result<void> Truncate(std::uint64_t size) override;
    Result<std::uint64_t> Size() override;
    Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override;

   private:
    ForwardingFileSystem& owner_;
    const std::unique_ptr<File> below_;
  };

  /// Asked before every call that can fail. An error is that call's answer, and nothing happens below.
  virtual Result<void> Before() { return {}; }
  /// What Open returns for a file of the file system below.
  virtual std::unique_ptr<File> Wrap(std::unique_ptr<File> file) {
    return std::make_unique<OpenedFile>(*this, std::move(file));
  }

 private:
  FileSystem& below_;
};

}  // namespace millrace
