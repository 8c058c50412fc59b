#include "engine/identity.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/try.h"
#include "engine/data_layout.h"
#include "engine/engine_marker.h"
#include "env/random_id.h"
#include "meta/ownership.h"
#include "meta/topic_catalog.h"

namespace millrace {
namespace {

constexpr std::string_view kRemedy =
    "point data_dir, metadata_store and object_store at what belongs together, or restore what was lost; nothing is "
    "opened over it";

Result<bool> HasFiles(FileSystem& file_system, const std::filesystem::path& path) {
  const auto entries = file_system.List(path);
  if (entries) return !entries->empty();
  if (entries.error().code() == ErrorCode::kNotFound) return false;
  return entries.error();
}

std::string_view Shown(std::string_view identity) { return identity.empty() ? "none" : identity; }

/// kInvalidArgument: of two logs; kCorruption: half of one.
Error Disagree(ErrorCode code, const DataLayout& layout, std::string_view local, std::string_view metadata) {
  return {code,
          fmt::format("{} and its metadata do not belong together: identity {} in the directory, {} in metadata",
                      layout.root.string(), Shown(local), Shown(metadata)),
          std::string(kRemedy)};
}

}  // namespace

Result<std::string> EstablishIdentity(FileSystem& file_system, const DataLayout& layout, MetadataStore& metadata,
                                      Random& random, std::string_view home) {
  MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(file_system, layout.marker));
  MR_ASSIGN_OR_RETURN(const std::string in_metadata, Ownership(metadata).Identity());
  if (marked && *marked == in_metadata) return in_metadata;
  if (marked && !in_metadata.empty()) return Disagree(ErrorCode::kInvalidArgument, layout, *marked, in_metadata);
  if (marked) {  // metadata is new: it belongs here only if nothing was written yet
    MR_ASSIGN_OR_RETURN(const bool has_wal, HasFiles(file_system, layout.wal));
    if (has_wal) return Disagree(ErrorCode::kCorruption, layout, *marked, in_metadata);
    MR_TRY(Ownership(metadata).SetIdentity(*marked, home));
    return *marked;
  }
  MR_ASSIGN_OR_RETURN(const bool has_wal, HasFiles(file_system, layout.wal));
  MR_ASSIGN_OR_RETURN(const auto topics, TopicCatalog(metadata).Topics());
  if (has_wal || !topics.empty()) return Disagree(ErrorCode::kCorruption, layout, "", in_metadata);
  const std::string identity = in_metadata.empty() ? RandomHexId(random) : in_metadata;
  MR_CHECK(!identity.empty());
  MR_TRY(Ownership(metadata).SetIdentity(identity, home));
  MR_TRY(WriteEngineMarker(file_system, layout.marker, identity));
  return identity;
}

Result<void> ClaimedObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  MR_TRY(claim_.Hold());
  return ForwardingObjectStore::Put(key, pieces, mode);
}

Result<void> ClaimedObjectStore::Delete(std::string_view key) {
  MR_TRY(claim_.Hold());
  return ForwardingObjectStore::Delete(key);
}

Result<void> ClaimedObjectStore::DeleteMany(std::span<const std::string> keys) {
  MR_TRY(claim_.Hold());
  return ForwardingObjectStore::DeleteMany(keys);
}

Result<void> ClaimedObjectStore::Around(const Subject& /*subject*/, const std::function<Result<void>()>& request) {
  MR_TRY(claim_.Check());
  return request();
}

}  // namespace millrace
