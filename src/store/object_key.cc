#include "store/object_key.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {
namespace {

bool IsKeyByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

Error IllegalKey(std::string_view key, std::string_view why) {
  std::string shown;
  for (const char c : key.substr(0, 80)) shown += IsKeyByte(c) || c == '/' ? c : '?';
  return {ErrorCode::kInvalidArgument, fmt::format("object key \"{}\" ({} bytes): {}", shown, key.size(), why)};
}

}  // namespace

Result<void> CheckObjectKey(std::string_view key) {
  if (key.empty()) return IllegalKey(key, "is empty");
  if (key.size() > kObjectKeyBytesMax) return IllegalKey(key, fmt::format("is longer than {}", kObjectKeyBytesMax));
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view segment = key.substr(begin, end - begin);
    if (segment.empty()) return IllegalKey(key, "has an empty segment");
    if (segment.size() > kObjectKeySegmentBytesMax) {
      return IllegalKey(key, fmt::format("has a segment longer than {}", kObjectKeySegmentBytesMax));
    }
    if (segment == "." || segment == "..") return IllegalKey(key, "has a segment that is . or ..");
    if (!std::ranges::all_of(segment, IsKeyByte)) return IllegalKey(key, "has a byte outside [0-9A-Za-z._/-]");
    begin = end + 1;
  }
  return {};
}

Error KeyIsFolder(std::string_view key) {
  return {ErrorCode::kInvalidArgument, fmt::format("object key \"{}\": one key may not be another key's folder", key)};
}

Error ObjectNotFound(std::string_view store, std::string_view key) {
  return {ErrorCode::kNotFound, fmt::format("{}: there is no object {}", store, key)};
}

}  // namespace millrace
