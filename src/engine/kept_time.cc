#include "engine/kept_time.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "engine/small_file.h"
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
  MR_ASSIGN_OR_RETURN(const auto found, ReadSmallFile(file_system, path, kBytesMax));
  if (!found) return std::nullopt;
  const std::string& text = *found;
  std::int64_t time_ms = 0;
  if (text.starts_with(kMagic)) std::from_chars(text.data() + kMagic.size(), text.data() + text.size(), time_ms);
  if (TextOf(time_ms) == text) return time_ms;
  return Error(ErrorCode::kCorruption, fmt::format("{} is damaged: it fails its CRC", path.string()),
               "retention by age waits for a day, or until somebody says that the clock is right")
      .WithDamage({.place = path.string(), .byte_begin = 0, .byte_end = text.size()});
}

Result<void> WriteKeptTime(FileSystem& file_system, const std::filesystem::path& path, std::int64_t time_ms) {
  // The first one must not get lost: nothing kept is no doubt.
  const std::string text = TextOf(time_ms);
  MR_CHECK(text.size() <= kBytesMax, text.size());  // or it could not be read whole
  return ReplaceSmallFile(file_system, path, text);
}

}  // namespace millrace
