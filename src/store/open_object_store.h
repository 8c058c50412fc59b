// Which object store a URL means.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/object_store.h"

namespace millrace {

enum class ObjectStoreKind { kLocalDirectory, kMemory, kS3 };

/// "file:" (below the data directory), "file:///absolute/path" (taken literally, no percent-decoding), "memory:",
/// "s3://bucket/prefix?…" (see ParseS3Url). Errors: kInvalidArgument. Credentials are never repeated in the message.
Result<ObjectStoreKind> ObjectStoreKindOf(std::string_view url);

/// Whether the URL says that no other process writes there, for a store that ignores conditions on puts.
bool IsSingleWriter(std::string_view url);

/// "file:" lies in `data_dir`/objects. `file_system`, `clock` and `random` outlive the store.
/// Credentials of S3 are looked for when they are first needed. The store repeats nothing: its user puts one
/// RetryingObjectStore above it.
/// Errors: those of ObjectStoreKindOf and of creating the directory.
Result<std::shared_ptr<ObjectStore>> OpenObjectStore(std::string_view url, const std::filesystem::path& data_dir,
                                                     FileSystem& file_system, const Clock& clock, Random& random);

}  // namespace millrace
