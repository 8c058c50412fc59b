#include "engine/data_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/hex.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::size_t kPieceDigits = 200;  // what every file system and object store takes

/// "ns/61626364/", or "" for the empty name space.
std::string PrefixOf(std::string_view name_space) {
  if (name_space.empty()) return {};
  const std::string digits = ToHex(AsBytes(name_space));
  std::string prefix = "ns/";
  for (std::size_t at = 0; at < digits.size(); at += kPieceDigits) prefix += digits.substr(at, kPieceDigits) + "/";
  return prefix;
}

Result<void> MakeAbsolute(std::filesystem::path& path) {
  if (path.empty() || path.is_absolute()) return {};
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error)
    return Error(ErrorCode::kUnavailable, fmt::format("{} cannot be resolved: {}", path.string(), error.message()),
                 "the working directory is gone; name the data directory by an absolute path");
  path = std::move(absolute);
  return {};
}

}  // namespace

Result<void> DataLayout::MakeAbsolute(EngineOptions& options) {
  if (options.file_system) return {};
  MR_TRY(millrace::MakeAbsolute(options.data_dir));
  return millrace::MakeAbsolute(options.read.cache_dir);
}

DataLayout DataLayout::Of(const EngineOptions& options) {
  DataLayout layout;
  layout.key_prefix = PrefixOf(options.name_space);
  std::string folder = layout.key_prefix;
  MR_CHECK(folder.empty() || folder.back() == '/', folder);
  if (!folder.empty()) folder.pop_back();
  layout.root = folder.empty() ? options.data_dir : options.data_dir / folder;
  layout.wal = layout.root / "wal";
  layout.positions = layout.root / "positions";
  layout.meta = layout.root / "meta.db";
  layout.marker = layout.root / "engine";
  layout.lock = layout.root / "lock";
  layout.time = layout.root / "time";
  layout.home = layout.root / "home";
  const std::filesystem::path& cache_dir = options.read.cache_dir;
  layout.cache = cache_dir.empty() ? layout.root / "cache" : folder.empty() ? cache_dir : cache_dir / folder;
  return layout;
}

}  // namespace millrace
