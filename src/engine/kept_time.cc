#include "engine/kept_time.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "base/crc32c.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::string_view kMagic = "millrace time\n";
constexpr std::size_t kBytesMax = 256;

std::string TextOf(std::int64_t time_ms) {
  const std::string body = fmt::format("{}{}\n", kMagic, time_ms);
  return fmt::format("{}crc {:08x}\n", body, Crc32c(AsBytes(body)));
}

}  // namespace

Result<std::optional<std::int64_t>> ReadKeptTime(FileSystem& file_system, const std::filesystem::path& path) {
  auto file = file_system.Open(path, {});
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return std::nullopt;
    return std::move(file).error();
  }
  std::string text(kBytesMax, '\0');
  MR_ASSIGN_OR_RETURN(const std::size_t size, (*file)->ReadAt(0, std::as_writable_bytes(std::span(text))));
  text.resize(size);
  std::int64_t time_ms = 0;
  if (text.starts_with(kMagic)) std::from_chars(text.data() + kMagic.size(), text.data() + text.size(), time_ms);
  if (TextOf(time_ms) == text) return time_ms;
  return Error(ErrorCode::kCorruption, fmt::format("{} is damaged: it fails its CRC", path.string()),
               "retention by age waits for a day, or until somebody says that the clock is right")
      .WithDamage({.place = path.string(), .byte_begin = 0, .byte_end = size});
}

Result<void> WriteKeptTime(FileSystem& file_system, const std::filesystem::path& path, std::int64_t time_ms) {
  const std::string text = TextOf(time_ms);
  const std::filesystem::path aside = path.string() + ".new";
  {
    MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(aside, {.access = FileAccess::kReadWrite,
                                                                  .creation = FileCreation::kOpenOrCreate}));
    MR_TRY(file->Truncate(0));
    MR_TRY(file->WriteAt(0, AsBytes(text)));
    MR_TRY(file->Sync());
  }
  MR_TRY(file_system.Rename(aside, path));
  return file_system.SyncDirectory(path.parent_path());  // the first one must not get lost: nothing kept is no doubt
}

}  // namespace millrace
