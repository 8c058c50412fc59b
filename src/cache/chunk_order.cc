#include "cache/chunk_order.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::string_view kMagic = "MRO1";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeadBytes = 24, kCrcBytes = 4;
static_assert(kHeadBytes + kCrcBytes == kOrderFixedBytes);

std::filesystem::path PartOf(std::filesystem::path path) { return path += ".part"; }

}  // namespace

Result<void> WriteOrder(FileSystem& file_system, const std::filesystem::path& path,
                        const std::vector<RankedChunk>& places, std::uint64_t bytes_max) {
  if (bytes_max < kOrderFixedBytes + kOrderEntryBytes) return {};
  const std::uint64_t count = std::min<std::uint64_t>(places.size(), (bytes_max - kOrderFixedBytes) / kOrderEntryBytes);
  Buffer order(kOrderFixedBytes + count * kOrderEntryBytes);
  std::byte* at = order.bytes().data();
  std::memcpy(at, kMagic.data(), kMagic.size());
  PutLe(at + 4, kVersion);
  PutLe(at + 8, places.size() - count);
  PutLe(at + 16, count);
  at += kHeadBytes;
  for (const RankedChunk& place : std::span(places).last(count)) {
    PutLe(at, place.name.high);
    PutLe(at + 8, place.name.low);
    PutLe(at + 16, place.rank);
    at += kOrderEntryBytes;
  }
  PutLe(at, Crc32c(order.bytes().first(order.size() - kCrcBytes)));
  const std::filesystem::path part = PartOf(path);
  const auto write = [&]() -> Result<void> {
    MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(part, {FileAccess::kReadWrite, FileCreation::kOpenOrCreate}));
    MR_TRY(file->Truncate(0));
    return file->WriteAt(0, order.bytes());
  };
  Result<void> written = write();
  if (written) written = file_system.Rename(part, path);
  if (!written) (void)file_system.Remove(part);
  return written;
}

ChunkOrder ReadOrder(FileSystem& file_system, const std::filesystem::path& path, std::uint64_t bytes_max) {
  (void)file_system.Remove(PartOf(path));  // left by a crash
  const auto file = file_system.Open(path, {});
  if (!file) return {};
  const auto size = (*file)->Size();
  if (size && *size > bytes_max) (void)file_system.Remove(path);  // of a larger cache: it would take its room
  if (!size || *size < kOrderFixedBytes || *size > bytes_max) return {};
  Buffer order(*size);
  const auto got = (*file)->ReadAt(0, order.bytes());
  if (!got || *got != *size) return {};
  const std::byte* at = order.bytes().data();
  if (std::memcmp(at, kMagic.data(), kMagic.size()) != 0 || GetLe<std::uint32_t>(at + 4) != kVersion) return {};
  if (GetLe<std::uint32_t>(at + *size - kCrcBytes) != Crc32c(order.bytes().first(*size - kCrcBytes))) return {};
  const auto count = GetLe<std::uint64_t>(at + 16);
  if (count != (*size - kOrderFixedBytes) / kOrderEntryBytes || (*size - kOrderFixedBytes) % kOrderEntryBytes != 0)
    return {};
  ChunkOrder read{.left_out = GetLe<std::uint64_t>(at + 8)};
  read.places.reserve(count);
  at += kHeadBytes;
  for (std::uint64_t i = 0; i < count; ++i, at += kOrderEntryBytes)
    read.places.push_back({{GetLe<std::uint64_t>(at), GetLe<std::uint64_t>(at + 8)}, GetLe<std::uint8_t>(at + 16)});
  return read;
}

}  // namespace millrace
