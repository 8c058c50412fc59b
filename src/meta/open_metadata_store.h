// Which metadata store a URL means.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"

namespace millrace {

enum class MetadataStoreKind { kSqlite, kMemory };

/// "sqlite:" (below the data directory), "sqlite:///absolute/path" (taken literally), "memory:". Errors: kUnsupported
/// ("postgres://…", which comes later), kInvalidArgument. Credentials are never repeated in the message.
Result<MetadataStoreKind> MetadataStoreKindOf(std::string_view url);

/// "sqlite:" is `data_dir`/metadata.db. `file_system` and `clock` (none: that of the machine) outlive the store.
/// Errors: those of MetadataStoreKindOf and of SqliteMetadataStore::Open.
Result<std::shared_ptr<MetadataStore>> OpenMetadataStore(std::string_view url, const std::filesystem::path& data_dir,
                                                         FileSystem& file_system, Clock* clock = nullptr);

}  // namespace millrace
