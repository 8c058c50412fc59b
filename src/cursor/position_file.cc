#include "cursor/position_file.h"

#include <algorithm>
#include <utility>

#include "base/aligned_bytes.h"
#include "base/check.h"
#include "base/try.h"
#include "cursor/position_log_format.h"

namespace millrace {
namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;
static_assert(kPositionBlockBytes == kDirectBlockBytes);

}  // namespace

Result<std::unique_ptr<PositionFile>> PositionFile::Make(FileSystem& file_system, const std::filesystem::path& path,
                                                         std::uint64_t capacity, std::span<const std::byte> snapshot) {
  MR_CHECK(capacity % kPositionBlockBytes == 0 && snapshot.size() <= capacity, capacity, snapshot.size());
  std::filesystem::path making = path;
  making += kPositionFileNew;
  // What a crash or a failure left of an earlier attempt.
  if (auto removed = file_system.Remove(making); !removed && removed.error().code() != ErrorCode::kNotFound)
    return std::move(removed).error();
  std::unique_ptr<PositionFile> file(new PositionFile(file_system, making));
  file->capacity_ = capacity;
  MR_TRY(file->OpenWriter(FileCreation::kCreateNew));
  if (auto filled = file->Fill(snapshot); !filled) {
    (void)file_system.Remove(making);
    return std::move(filled).error();
  }
  MR_TRY(file_system.Rename(making, path));
  file->path_ = path;
  MR_TRY(file_system.SyncDirectory(path.parent_path()));
  return file;
}

/// Written to the full, so that a position that moves later never needs space, nor a change of the file's own records.
Result<void> PositionFile::Fill(std::span<const std::byte> snapshot) {
  if (auto allocated = file_->Allocate(capacity_); !allocated && allocated.error().code() != ErrorCode::kUnsupported)
    return allocated;
  const auto zeros = AlignedBytes::Zeros(std::min(kPieceBytes, capacity_));
  for (std::uint64_t at = 0; at < capacity_;) {
    const std::uint64_t piece = std::min<std::uint64_t>(zeros.size(), capacity_ - at);
    MR_TRY(Write(at, zeros.bytes().first(piece)));
    at += piece;
  }
  return WriteSynced(0, snapshot);
}

Result<std::unique_ptr<PositionFile>> PositionFile::Open(FileSystem& file_system, const std::filesystem::path& path) {
  std::unique_ptr<PositionFile> file(new PositionFile(file_system, path));
  MR_TRY(file->OpenWriter(FileCreation::kOpenExisting));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->file_->Size());
  file->capacity_ = size / kPositionBlockBytes * kPositionBlockBytes;
  return file;
}

Result<void> PositionFile::OpenWriter(FileCreation creation) {
  FileOptions options{.access = FileAccess::kReadWrite, .creation = creation, .path = FilePath::kDirect};
  if (direct_) {
    auto opened = file_system_.Open(path_, options);
    if (opened) {
      file_ = *std::move(opened);
      return {};
    }
    if (opened.error().code() != ErrorCode::kUnsupported) return std::move(opened).error();
    direct_ = false;
  }
  options.path = FilePath::kBuffered;
  MR_ASSIGN_OR_RETURN(file_, file_system_.Open(path_, options));
  return {};
}

Result<void> PositionFile::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  auto written = file_->WriteAt(offset, bytes);
  if (written || !direct_ || written.error().code() != ErrorCode::kInvalidArgument) return written;
  // Opens for direct I/O and then refuses it: so this file system has none.
  direct_ = false;
  MR_TRY(OpenWriter(FileCreation::kOpenExisting));
  return file_->WriteAt(offset, bytes);
}

Result<void> PositionFile::WriteSynced(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (failure_) return *failure_;
  MR_CHECK(offset + bytes.size() <= capacity_, offset, bytes.size(), capacity_);
  auto done = Write(offset, bytes);
  if (done) done = file_->Sync();
  if (!done) failure_ = std::make_unique<const Error>(done.error().WithContext("the position log"));
  if (failure_) return *failure_;
  return {};
}

}  // namespace millrace
