#include "wal/clean_close.h"

#include <cstring>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMagic = 0x3245534f4c43524d;  // "MRCLOSE2"; the first one did not say how far its note went
constexpr std::size_t kHeaderBytes = 48, kFileBytes = 24, kCrcFrom = 12;
constexpr std::uint64_t kBytesMax = 1ull << 30;
static_assert(kHeaderBytes == kCrcFrom + 4 + 4 * 8 && kFileBytes == 3 * 8, "as clean_close.h draws it");

}  // namespace

std::vector<std::byte> EncodeWalCleanClose(const WalCleanClose& close) {
  std::vector<std::byte> bytes(kHeaderBytes + close.files.size() * kFileBytes + close.note.size());
  PutLe(bytes.data(), kMagic);
  PutLe(bytes.data() + 12, static_cast<std::uint32_t>(close.files.size()));
  PutLe(bytes.data() + 16, close.end.value());
  PutLe(bytes.data() + 24, close.last_frame.value());
  PutLe(bytes.data() + 32, close.note_end.value());
  PutLe(bytes.data() + 40, static_cast<std::uint64_t>(close.note.size()));
  std::byte* at = bytes.data() + kHeaderBytes;
  for (const WalCleanClose::File& file : close.files) {
    PutLe(at, file.generation);
    PutLe(at + 8, file.base.value());
    PutLe(at + 16, file.payload_end.value());
    at += kFileBytes;
  }
  MR_CHECK(at + close.note.size() == bytes.data() + bytes.size(), close.files.size(), close.note.size(), bytes.size());
  if (!close.note.empty()) std::memcpy(at, close.note.data(), close.note.size());
  PutLe(bytes.data() + 8, Crc32c(std::span<const std::byte>(bytes).subspan(kCrcFrom)));
  return bytes;
}

std::optional<WalCleanClose> DecodeWalCleanClose(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes || GetLe<std::uint64_t>(bytes.data()) != kMagic) return std::nullopt;
  if (GetLe<std::uint32_t>(bytes.data() + 8) != Crc32c(bytes.subspan(kCrcFrom))) return std::nullopt;
  const std::uint64_t files = GetLe<std::uint32_t>(bytes.data() + 12);
  const std::uint64_t rest = bytes.size() - kHeaderBytes;
  if (files > rest / kFileBytes || GetLe<std::uint64_t>(bytes.data() + 40) != rest - files * kFileBytes) {
    return std::nullopt;
  }
  WalCleanClose close = {.end = WalPosition(GetLe<std::int64_t>(bytes.data() + 16)),
                         .last_frame = WalPosition(GetLe<std::int64_t>(bytes.data() + 24)),
                         .note_end = WalPosition(GetLe<std::int64_t>(bytes.data() + 32))};
  const std::byte* at = bytes.data() + kHeaderBytes;
  for (std::uint64_t i = 0; i < files; ++i, at += kFileBytes) {
    close.files.push_back({GetLe<std::uint64_t>(at), WalPosition(GetLe<std::int64_t>(at + 8)),
                           WalPosition(GetLe<std::int64_t>(at + 16))});
  }
  close.note.assign(at, bytes.data() + bytes.size());
  return close;
}

Result<void> WriteWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory,
                                const WalCleanClose& close) {
  const auto path = directory / kCleanCloseFileName;
  const std::filesystem::path aside = path.native() + ".new";
  {
    MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(aside, {.access = FileAccess::kReadWrite,
                                                                  .creation = FileCreation::kOpenOrCreate}));
    MR_TRY(file->Truncate(0));
    MR_TRY(file->WriteAt(0, EncodeWalCleanClose(close)));
    MR_TRY(file->Sync());
  }
  MR_TRY(file_system.Rename(aside, path));
  return file_system.SyncDirectory(directory);
}

std::optional<WalCleanClose> ReadWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory) {
  const auto file = file_system.Open(directory / kCleanCloseFileName, {});
  if (!file) return std::nullopt;
  const auto size = (*file)->Size();
  if (!size || *size > kBytesMax) return std::nullopt;
  std::vector<std::byte> bytes(*size);
  const auto got = (*file)->ReadAt(0, bytes);
  if (!got || *got != bytes.size()) return std::nullopt;
  return DecodeWalCleanClose(bytes);
}

Result<void> RemoveWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory) {
  const auto removed = file_system.Remove(directory / kCleanCloseFileName);
  if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
  return {};
}

}  // namespace millrace
