#include "wal/wal_file_factory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "wal/wal_recovery.h"

namespace millrace {

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;
constexpr std::size_t kOpenFiles = 32;  // two of a file in use

struct FreeAligned {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

AlignedBytes Zeros(std::uint64_t size) {
  AlignedBytes zeros(static_cast<std::byte*>(std::aligned_alloc(kWalBlockBytes, size)));
  if (!zeros) throw std::bad_alloc();
  std::memset(zeros.get(), 0, size);
  return zeros;
}

}  // namespace

WalFileFactory::WalFileFactory(FileSystem& file_system, std::filesystem::path directory)
    : file_system_(file_system), open_files_(file_system, kOpenFiles), directory_(std::move(directory)) {}

Result<std::unique_ptr<File>> WalFileFactory::OpenWriter(const std::filesystem::path& path, FileCreation creation) {
  if (direct_) {
    auto file =
        open_files_.Open(path, {.access = FileAccess::kReadWrite, .creation = creation, .path = FilePath::kDirect});
    if (file || file.error().code() != ErrorCode::kUnsupported) return file;
    direct_ = false;
  }
  return open_files_.Open(path, {.access = FileAccess::kReadWrite, .creation = creation});
}

Result<std::shared_ptr<WalDiskFile>> WalFileFactory::OpenExisting(const std::string& name) {
  auto disk = std::make_shared<WalDiskFile>();
  disk->path = directory_ / name;
  disk->slot = WalFileSlot(name).value_or(0);
  MR_ASSIGN_OR_RETURN(disk->writer, OpenWriter(disk->path, FileCreation::kOpenExisting));
  MR_ASSIGN_OR_RETURN(disk->reader, open_files_.Open(disk->path, {}));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, disk->reader->Size());
  // A file cut short from outside keeps what is left of its last block; the rest of it reads as zeros.
  const std::uint64_t whole = AlignUp(size, kWalBlockBytes);
  disk->capacity = whole > kWalFileHeaderBytes ? whole - kWalFileHeaderBytes : 0;
  return disk;
}

Result<void> WalFileFactory::Begin(std::uint64_t slot, std::uint64_t capacity) {
  MR_CHECK(!building_ && capacity > 0 && capacity % kWalBlockBytes == 0, capacity);
  auto disk = std::make_shared<WalDiskFile>();
  disk->path = directory_ / WalFileName(slot);
  disk->slot = slot;
  disk->capacity = capacity;
  MR_ASSIGN_OR_RETURN(disk->writer, OpenWriter(disk->path, FileCreation::kCreateNew));
  building_ = std::move(disk);
  written_ = 0;
  auto reader = open_files_.Open(building_->path, {});
  if (!reader) return Abandon(reader.error());
  building_->reader = *std::move(reader);
  auto allocated = building_->writer->Allocate(building_->bytes());
  if (!allocated && allocated.error().code() != ErrorCode::kUnsupported) return Abandon(allocated.error());
  return {};
}

Result<bool> WalFileFactory::Step(std::uint64_t bytes) {
  MR_CHECK(building_);
  const std::uint64_t end = std::min(building_->bytes(), written_ + AlignUp(bytes, kWalBlockBytes));
  const std::uint64_t piece_bytes = std::min(kPieceBytes, end - written_);
  if (piece_bytes == 0) return true;
  const AlignedBytes zeros = Zeros(piece_bytes);
  while (written_ < end) {
    const std::uint64_t piece = std::min(piece_bytes, end - written_);
    auto wrote = building_->writer->WriteAt(written_, {zeros.get(), piece});
    if (!wrote && direct_ && wrote.error().code() == ErrorCode::kInvalidArgument) {
      // Opens for direct I/O and then refuses it: so this file system has none.
      direct_ = false;
      auto writer = OpenWriter(building_->path, FileCreation::kOpenExisting);
      if (!writer) return Abandon(writer.error());
      building_->writer = *std::move(writer);
      continue;
    }
    if (!wrote) return Abandon(wrote.error());
    written_ += piece;
  }
  MR_CHECK(written_ <= building_->bytes(), written_, building_->bytes());
  return written_ == building_->bytes();
}

Result<std::shared_ptr<WalDiskFile>> WalFileFactory::Finish(std::uint64_t generation) {
  MR_CHECK(building_ && written_ == building_->bytes(), written_);
  if (auto reserved = Reserve(*building_, generation); !reserved) return Abandon(reserved.error());
  if (auto synced = open_files_.SyncDirectory(directory_); !synced) return Abandon(synced.error());
  return std::exchange(building_, nullptr);
}

Result<void> WalFileFactory::Reserve(const WalDiskFile& disk, std::uint64_t generation) {
  MR_CHECK(generation > 0, disk.name());
  MR_TRY(disk.WriteHeader({.state = WalFileState::kFree, .generation = generation, .capacity = disk.capacity}));
  return disk.writer->Sync();
}

Result<void> WalFileFactory::Remove(const WalDiskFile& disk) {
  // Gone already: then only the sync of the directory failed last time.
  if (auto removed = file_system_.Remove(disk.path); !removed && removed.error().code() != ErrorCode::kNotFound) {
    return removed;
  }
  return open_files_.SyncDirectory(directory_);
}

void WalFileFactory::Discard() {
  if (!building_) return;
  [[maybe_unused]] const auto removed = file_system_.Remove(building_->path);
  building_.reset();
}

Error WalFileFactory::Abandon(Error error) {
  Discard();
  return error;
}

}  // namespace millrace
