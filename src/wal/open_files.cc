#include "wal/open_files.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "env/posix_error.h"

namespace millrace {

/// One file, open or not. Its mutex is above none.
class OpenFiles::Handle : public std::enable_shared_from_this<Handle> {
 public:
  Handle(OpenFiles& files, std::filesystem::path path, FileOptions options)
      : files_(files), path_(std::move(path)), options_(options) {}
  ~Handle() {
    MutexLock lock(mutex_);
    if (file_) files_.CountClosed();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  Result<OpenedFile> Use() {
    FileOptions options;
    {
      MutexLock lock(mutex_);
      if (file_) return file_;
      options = options_;
    }
    MR_ASSIGN_OR_RETURN(OpenedFile opened, files_.OpenNow(path_, options));
    {
      MutexLock lock(mutex_);
      if (file_) return file_;  // another thread was quicker
      file_ = opened;
      options_.creation = FileCreation::kOpenExisting;
      files_.count_.fetch_add(1, std::memory_order_relaxed);
    }
    files_.Remember(shared_from_this());
    return opened;
  }
  /// At the begin and at the end of a change: it stays open until a sync began after both.
  void Changes() {
    MutexLock lock(mutex_);
    ++changes_;
  }
  [[nodiscard]] std::uint64_t changes() {
    MutexLock lock(mutex_);
    return changes_;
  }
  /// Up to what changes() was when the sync began.
  void Synced(std::uint64_t changes) {
    MutexLock lock(mutex_);
    MR_CHECK(changes <= changes_, changes, changes_);
    synced_ = std::max(synced_, changes);
  }
  /// What is to be closed, under no lock; nothing if it must stay open.
  OpenedFile LetGo() {
    MutexLock lock(mutex_);
    if (synced_ < changes_ || !file_) return nullptr;
    files_.CountClosed();
    return std::exchange(file_, nullptr);
  }

 private:
  OpenFiles& files_;
  const std::filesystem::path path_;
  Mutex mutex_;
  FileOptions options_ MR_GUARDED_BY(mutex_);
  OpenedFile file_ MR_GUARDED_BY(mutex_);
  std::uint64_t changes_ MR_GUARDED_BY(mutex_) = 0, synced_ MR_GUARDED_BY(mutex_) = 0;
};

class OpenFiles::ReopenedFile final : public File {
 public:
  explicit ReopenedFile(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {}
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    return file->ReadAt(offset, out);
  }
  Result<void> ReadMany(std::span<FileRead> plan) override {
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    return file->ReadMany(plan);
  }
  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return Change([&](File& file) { return file.WriteAt(offset, bytes); });
  }
  Result<void> WriteMany(std::span<const FileWrite> plan) override {
    return Change([&](File& file) { return file.WriteMany(plan); });
  }
  Result<void> Sync() override {
    const std::uint64_t changes = handle_->changes();
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    MR_TRY(file->Sync());
    handle_->Synced(changes);
    return {};
  }
  Result<void> Allocate(std::uint64_t size) override {
    return Change([&](File& file) { return file.Allocate(size); });
  }
  Result<void> Truncate(std::uint64_t size) override {
    return Change([&](File& file) { return file.Truncate(size); });
  }
  Result<std::uint64_t> Size() override {
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    return file->Size();
  }
  Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override {
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    return file->Map(size);
  }

 private:
  template <class Call>
  Result<void> Change(const Call& call) {
    handle_->Changes();
    MR_ASSIGN_OR_RETURN(const OpenedFile file, handle_->Use());
    auto changed = call(*file);
    handle_->Changes();
    return changed;
  }

  const std::shared_ptr<Handle> handle_;
};

OpenFiles::~OpenFiles() { MR_CHECK(count() == 0, count()); }

void OpenFiles::CountClosed() {
  const std::size_t before = count_.fetch_sub(1, std::memory_order_relaxed);
  MR_CHECK(before > 0, before);
}

Result<std::unique_ptr<File>> OpenFiles::Open(const std::filesystem::path& path, const FileOptions& options) {
  auto handle = std::make_shared<Handle>(*this, path, options);
  MR_TRY(handle->Use());
  return std::make_unique<ReopenedFile>(std::move(handle));
}

Result<OpenFiles::OpenedFile> OpenFiles::OpenNow(const std::filesystem::path& path, const FileOptions& options) {
  auto opened = file_system_.Open(path, options);
  while (!opened && LacksDescriptors(opened.error()) && MakeRoom()) opened = file_system_.Open(path, options);
  if (!opened) return std::move(opened).error();
  return OpenedFile(*std::move(opened));
}

Result<void> OpenFiles::SyncDirectory(const std::filesystem::path& path) {
  auto synced = file_system_.SyncDirectory(path);
  while (!synced && LacksDescriptors(synced.error()) && MakeRoom()) synced = file_system_.SyncDirectory(path);
  return synced;
}

void OpenFiles::Remember(const std::shared_ptr<Handle>& handle) {
  bool too_many = false;
  {
    MutexLock lock(mutex_);
    kept_.push_back(handle);
    too_many = kept_.size() > count_max_.load(std::memory_order_relaxed);
  }
  if (too_many) CloseOldest();
}

bool OpenFiles::CloseOldest() {
  std::size_t tries = 0;
  {
    MutexLock lock(mutex_);
    tries = kept_.size();
  }
  for (; tries > 0; --tries) {
    std::shared_ptr<Handle> oldest;
    {
      MutexLock lock(mutex_);
      if (kept_.empty()) return false;
      oldest = kept_.front().lock();
      kept_.pop_front();
    }
    if (!oldest) continue;
    if (oldest->LetGo()) return true;
    MutexLock lock(mutex_);
    kept_.push_back(oldest);  // not synced yet
  }
  return false;
}

bool OpenFiles::MakeRoom() {
  const std::size_t half = count() / 2;
  count_max_.store(std::max<std::size_t>(half, 2), std::memory_order_relaxed);
  if (!CloseOldest()) return false;
  while (count() > half && CloseOldest()) {
  }
  return true;
}

}  // namespace millrace
