#include "engine/engine_marker.h"

#include <fmt/format.h>

#include <charconv>

#include "base/crc32c.h"
#include "base/try.h"
#include "engine/small_file.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::size_t kMarkerBytesMax = 4'096;
constexpr std::string_view kMagic = "millrace ";

std::string Body(std::string_view identity) {
  return fmt::format("{}{}\nidentity {}\n", kMagic, kDataVersion, identity);
}

std::string WithCrc(const std::string& body) { return fmt::format("{}crc {:08x}\n", body, Crc32c(AsBytes(body))); }

/// What stands behind the magic, if the first line is whole.
std::optional<std::uint32_t> VersionOf(std::string_view text) {
  if (!text.starts_with(kMagic)) return {};
  std::uint32_t version = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + kMagic.size(), end, version);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\n') return {};
  return version;
}

}  // namespace

Result<std::optional<std::string>> ReadEngineMarker(FileSystem& file_system, const std::filesystem::path& path) {
  MR_ASSIGN_OR_RETURN(const auto found, ReadSmallFile(file_system, path, kMarkerBytesMax));
  if (!found) return std::nullopt;
  const std::string& text = *found;
  const std::size_t crc_at = text.rfind("crc ");
  const bool whole = crc_at != std::string::npos && WithCrc(text.substr(0, crc_at)) == text;
  const auto version = VersionOf(text);
  if (whole && version && *version > kDataVersion)
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} was written by a newer release: version {} of the data, this one reads up to {}",
                             path.parent_path().string(), *version, kDataVersion),
                 fmt::format("use a release that reads version {}", *version));
  constexpr std::string_view kIdentity = "identity ";
  const std::size_t identity_at = text.find(kIdentity);
  if (!whole || !version || identity_at == std::string::npos) {
    const DamagedRange damage{.place = path.string(), .byte_begin = 0, .byte_end = text.size()};
    return Error(ErrorCode::kCorruption, fmt::format("{} is damaged: it fails its CRC", path.string()),
                 "put back its copy; it holds the identity that metadata and object store hold too")
        .WithDamage(damage);
  }
  const std::size_t begin = identity_at + kIdentity.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

Result<void> WriteEngineMarker(FileSystem& file_system, const std::filesystem::path& path, std::string_view identity) {
  return ReplaceSmallFile(file_system, path, WithCrc(Body(identity)));
}

}  // namespace millrace
