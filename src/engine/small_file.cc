#include "engine/small_file.h"

#include <span>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {

Result<std::optional<std::string>> ReadSmallFile(FileSystem& file_system, const std::filesystem::path& path,
                                                 std::size_t bytes_max) {
  auto file = file_system.Open(path, {});
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return std::nullopt;
    return std::move(file).error();
  }
  std::string text(bytes_max, '\0');
  MR_ASSIGN_OR_RETURN(const std::size_t size, (*file)->ReadAt(0, std::as_writable_bytes(std::span(text))));
  text.resize(size);
  return text;
}

Result<void> ReplaceSmallFile(FileSystem& file_system, const std::filesystem::path& path, std::string_view text) {
  MR_CHECK(path.has_filename(), path.string());
  const std::filesystem::path aside = path.string() + ".new";
  {
    MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(aside, {.access = FileAccess::kReadWrite,
                                                                  .creation = FileCreation::kOpenOrCreate}));
    MR_TRY(file->Truncate(0));
    MR_TRY(file->WriteAt(0, AsBytes(text)));
    MR_TRY(file->Sync());
  }
  MR_TRY(file_system.Rename(aside, path));
  return file_system.SyncDirectory(path.parent_path());
}

}  // namespace millrace
