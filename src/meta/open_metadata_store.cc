#include "meta/open_metadata_store.h"

#include <fmt/format.h>

#include "base/try.h"
#include "meta/memory_metadata_store.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

constexpr std::string_view kSqlitePrefix = "sqlite://";

}  // namespace

Result<MetadataStoreKind> MetadataStoreKindOf(std::string_view url) {
  if (url == "memory:") return MetadataStoreKind::kMemory;
  if (url == "sqlite:") return MetadataStoreKind::kSqlite;
  if (url.starts_with("sqlite:///") && url.size() > kSqlitePrefix.size() + 1) return MetadataStoreKind::kSqlite;
  const std::string_view scheme = url.substr(0, url.find(':'));
  if (scheme == "postgres" || scheme == "postgresql") {
    return Error(ErrorCode::kUnsupported,
                 "metadata store postgres: this release keeps metadata in SQLite or in memory only",
                 "Use \"sqlite:\" or \"sqlite:///path\"");
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("metadata store \"{}\" is none of sqlite:, sqlite:///path, memory:", scheme),
               "A path is written sqlite:///absolute/path");
}

Result<std::shared_ptr<MetadataStore>> OpenMetadataStore(std::string_view url, const std::filesystem::path& data_dir,
                                                         FileSystem& file_system, Clock* clock) {
  MR_ASSIGN_OR_RETURN(const MetadataStoreKind kind, MetadataStoreKindOf(url));
  if (kind == MetadataStoreKind::kMemory) return std::make_shared<MemoryMetadataStore>(clock);
  const auto path =
      url == "sqlite:" ? data_dir / "metadata.db" : std::filesystem::path(url.substr(kSqlitePrefix.size()));
  MR_ASSIGN_OR_RETURN(std::shared_ptr<SqliteMetadataStore> store, SqliteMetadataStore::Open(path, file_system, clock));
  return store;
}

}  // namespace millrace
