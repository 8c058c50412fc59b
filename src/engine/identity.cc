#include "engine/identity.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "engine/data_layout.h"
#include "engine/engine_marker.h"
#include "env/random_id.h"
#include "meta/ownership.h"
#include "meta/segment_catalog.h"
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

Error Disagree(const DataLayout& layout, std::string_view local, std::string_view metadata) {
  return {ErrorCode::kCorruption,
          fmt::format("{} and its metadata do not belong together: identity {} in the directory, {} in metadata",
                      layout.root.string(), Shown(local), Shown(metadata)),
          std::string(kRemedy)};
}

std::string IdentityText(std::string_view identity) {
  return fmt::format("millrace identity {}\ncrc {:08x}\n", identity, Crc32c(AsBytes(identity)));
}

}  // namespace

Result<std::string> EstablishIdentity(FileSystem& file_system, const DataLayout& layout, MetadataStore& metadata,
                                      Random& random) {
  MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(file_system, layout.marker));
  MR_ASSIGN_OR_RETURN(const std::string in_metadata, Ownership(metadata).Identity());
  if (marked && *marked == in_metadata) return in_metadata;
  if (marked && !in_metadata.empty()) return Disagree(layout, *marked, in_metadata);
  if (marked) {  // metadata is new: it belongs here only if nothing was written yet
    MR_ASSIGN_OR_RETURN(const bool has_wal, HasFiles(file_system, layout.wal));
    if (has_wal) return Disagree(layout, *marked, in_metadata);
    MR_TRY(Ownership(metadata).SetIdentity(*marked));
    return *marked;
  }
  MR_ASSIGN_OR_RETURN(const bool has_wal, HasFiles(file_system, layout.wal));
  MR_ASSIGN_OR_RETURN(const auto topics, TopicCatalog(metadata).Topics());
  if (has_wal || !topics.empty()) return Disagree(layout, "", in_metadata);
  const std::string identity = in_metadata.empty() ? RandomHexId(random) : in_metadata;
  MR_CHECK(!identity.empty());
  MR_TRY(Ownership(metadata).SetIdentity(identity));
  MR_TRY(WriteEngineMarker(file_system, layout.marker, identity));
  return identity;
}

Result<void> IdentityCheckedObjectStore::Check() {
  if (known_.load(std::memory_order_acquire)) [[likely]]
    return {};
  return asking_.Run("asking who the store is", [this]() -> Result<void> {
    if (known_.load(std::memory_order_acquire)) return {};
    MR_TRY(Ask());
    known_.store(true, std::memory_order_release);
    return {};
  });
}

Result<void> IdentityCheckedObjectStore::Ask() {
  constexpr std::uint64_t kTextBytesMax = 4'096;
  const std::string ours = IdentityText(identity_);
  const auto theirs = inner().Get(key_, {0, kTextBytesMax});
  if (theirs) {
    if (AsText(*theirs) == ours) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not the object store of this data: object {} does not hold identity {}",
                             inner().Describe(), key_, identity_),
                 std::string(kRemedy));
  }
  if (theirs.error().code() != ErrorCode::kNotFound) return theirs.error().WithContext("asking who the store is");
  MR_ASSIGN_OR_RETURN(const auto objects, SegmentCatalog(metadata_).ObjectsIn(
                                              ObjectState::kCommitted, std::numeric_limits<std::int64_t>::max(), 1));
  if (!objects.empty())
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} has lost its data, or is another one: metadata knows objects in it, but it does not "
                             "hold identity {}",
                             inner().Describe(), identity_),
                 std::string(kRemedy));
  const std::array<SharedBytes, 1> pieces = {SharedBytes::Copy(AsBytes(ours))};
  return inner().Put(key_, pieces, PutMode::kOverwrite);
}

Result<void> IdentityCheckedObjectStore::Around(const Subject& /*subject*/,
                                                const std::function<Result<void>()>& request) {
  MR_TRY(Check());
  return request();
}

}  // namespace millrace
