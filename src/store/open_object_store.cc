#include "store/open_object_store.h"

#include <fmt/format.h>

#include "base/try.h"
#include "store/local_dir_object_store.h"
#include "store/memory_object_store.h"
#include "store/s3/open_s3_object_store.h"

namespace millrace {
namespace {

constexpr std::string_view kFilePrefix = "file://";

}  // namespace

Result<ObjectStoreKind> ObjectStoreKindOf(std::string_view url) {
  if (url == "memory:") return ObjectStoreKind::kMemory;
  if (url == "file:") return ObjectStoreKind::kLocalDirectory;
  if (url.starts_with("file:///") && url.size() > 8) return ObjectStoreKind::kLocalDirectory;
  if (url.starts_with("s3:")) {
    MR_TRY(ParseS3Url(url));
    return ObjectStoreKind::kS3;
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("object store \"{}\" is none of file:, file:///path, memory:, s3://bucket",
                           url.substr(0, url.find(':'))),
               "A path is written file:///absolute/path");
}

bool IsSingleWriter(std::string_view url) {
  if (!url.starts_with("s3:")) return false;
  const auto settings = ParseS3Url(url);
  return settings && settings->single_writer;
}

Result<std::shared_ptr<ObjectStore>> OpenObjectStore(std::string_view url, const std::filesystem::path& data_dir,
                                                     FileSystem& file_system, const Clock& clock, Random& random) {
  MR_ASSIGN_OR_RETURN(const ObjectStoreKind kind, ObjectStoreKindOf(url));
  if (kind == ObjectStoreKind::kS3) {
    MR_ASSIGN_OR_RETURN(std::shared_ptr<ObjectStore> store, OpenS3ObjectStore(url, clock));
    return store;
  }
  if (kind == ObjectStoreKind::kMemory) return std::make_shared<MemoryObjectStore>(&clock);
  const auto root = url == "file:" ? data_dir / "objects" : std::filesystem::path(url.substr(kFilePrefix.size()));
  MR_ASSIGN_OR_RETURN(std::shared_ptr<LocalDirObjectStore> store, LocalDirObjectStore::Open(root, file_system, random));
  return store;
}

}  // namespace millrace
