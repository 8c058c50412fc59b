#include "engine/components.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>

#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "engine/engine_marker.h"
#include "env/overlay_file_system.h"
#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "env/system_random.h"
#include "meta/home_catalog.h"
#include "meta/memory_metadata_store.h"
#include "meta/open_metadata_store.h"
#include "meta/ownership.h"
#include "meta/segment_catalog.h"
#include "millrace/request_scope.h"
#include "store/open_object_store.h"
#include "store/read_only_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/log_survey.h"
#include "tier/store_claim.h"

namespace millrace {
namespace {

constexpr std::string_view kOwnPlace = "file:";
constexpr std::string_view kFilePrefix = "file://";

/// Of a log that an earlier release made, which remembered nothing.
Result<std::string> HomeOfEarlier(FileSystem& file_system, const DataLayout& layout, MetadataStore& metadata) {
  MR_ASSIGN_OR_RETURN(const auto objects, SegmentCatalog(metadata).ObjectsIn(
                                              ObjectState::kCommitted, std::numeric_limits<std::int64_t>::max(), 1));
  if (objects.empty() || file_system.List(layout.root / "objects")) return std::string(kOwnPlace);
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} has objects in a store that it does not remember: an earlier release made it",
                           layout.root.string()),
               "name the object store once (--store URL); the log remembers it from then on");
}

}  // namespace

bool IsShared(std::string_view url, const DataLayout& layout) {
  if (url == kOwnPlace || url == "memory:") return false;
  if (!url.starts_with(kFilePrefix)) return true;
  const auto path = std::filesystem::path(url.substr(kFilePrefix.size())).lexically_normal();
  const auto within = path.lexically_relative(layout.root.lexically_normal());
  return within.empty() || *within.begin() == "..";
}

Components Components::Machine(const EngineOptions& options) {
  Components machine;
  machine.clock = options.clock ? options.clock : std::make_shared<SystemClock>();
  machine.file_system = options.file_system ? options.file_system : std::make_shared<PosixFileSystem>();
  machine.random = std::make_shared<SystemRandom>();
  return machine;
}

Result<void> Components::CheckUrls(const EngineOptions& options) {
  if (!options.metadata) MR_TRY(MetadataStoreKindOf(options.metadata_store));
  if (options.read_only && (options.metadata || options.metadata_store == "memory:"))
    return Error(ErrorCode::kUnsupported, "read_only is for logs whose metadata lies in a file",
                 "open this one for writing, or with metadata_store \"sqlite:\"");
  if (!options.objects && !options.object_store.empty()) MR_TRY(ObjectStoreKindOf(options.object_store));
  return {};
}

Result<void> Components::OpenMetadata(const EngineOptions& options, const DataLayout& layout) {
  metadata = options.metadata;
  if (metadata) return {};
  MR_ASSIGN_OR_RETURN(metadata, OpenMetadataStore(options.metadata_store, layout.root, *file_system, clock.get()));
  return {};
}

Result<void> Components::OpenObjects(const EngineOptions& options, const DataLayout& layout, const std::string& url) {
  objects = options.objects;
  if (!objects) {
    MR_ASSIGN_OR_RETURN(objects, OpenObjectStore(url, layout.root, *file_system, *clock, *random));
    MR_ASSIGN_OR_RETURN(const ObjectStoreKind kind, ObjectStoreKindOf(url));
    objects_are_near = kind != ObjectStoreKind::kS3;
    objects_are_shared = IsShared(url, layout);
    home = url;
  }
  MR_CHECK(metadata && objects && file_system && clock && random);
  if (options.read_only) objects = std::make_shared<ReadOnlyObjectStore>(std::move(objects));
  return {};
}

Result<void> Components::OpenStores(const EngineOptions& options, const DataLayout& layout) {
  MR_TRY(OpenMetadata(options, layout));
  if (options.objects) return OpenObjects(options, layout, {});
  MR_ASSIGN_OR_RETURN(const std::string remembered, HomeCatalog(*metadata).Home());
  MR_ASSIGN_OR_RETURN(const std::string identity, Ownership(*metadata).Identity());
  if (identity.empty()) {  // a new log
    MR_TRY(OpenObjects(options, layout, options.object_store.empty() ? std::string(kOwnPlace) : options.object_store));
    MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(*file_system, layout.marker));
    return objects_are_shared && !marked ? CheckVacant(options, layout) : Result<void>();
  }
  if (!remembered.empty() && !options.object_store.empty() && options.object_store != remembered)
    return Adopt(options, layout, remembered);
  std::string url = remembered.empty() ? options.object_store : remembered;
  if (url.empty()) {
    MR_ASSIGN_OR_RETURN(url, HomeOfEarlier(*file_system, layout, *metadata));
  }
  MR_TRY(OpenObjects(options, layout, url));
  if (remembered.empty() && !options.read_only) MR_TRY(HomeCatalog(*metadata).SetHome(url));
  return {};
}

bool Components::MayFollow(const EngineOptions& options) {
  if (!options.read_only) return false;
  const std::string& url = options.object_store;
  return options.objects != nullptr || (!url.empty() && url != kOwnPlace && url != "memory:");
}

Result<void> Components::OpenFollowed(const EngineOptions& options, const DataLayout& layout) {
  follows = true;
  if (!options.read.cache_dir.empty()) cache_files = file_system;
  file_system = std::make_shared<OverlayFileSystem>(file_system);
  MR_TRY(file_system->CreateDirectories(layout.root));
  metadata = std::make_shared<MemoryMetadataStore>(clock.get());
  return OpenObjects(options, layout, options.object_store);
}

/// Another name than the log's home: of the same place, or a mistake.
Result<void> Components::Adopt(const EngineOptions& options, const DataLayout& layout, const std::string& remembered) {
  const Error elsewhere(
      ErrorCode::kInvalidArgument,
      fmt::format("{} lives at {}, not at {}", layout.root.string(), remembered, options.object_store),
      "leave the object store out: the log remembers its home");
  MR_TRY(OpenObjects(options, layout, options.object_store));
  if (!objects_are_shared || !IsShared(remembered, layout)) return elsewhere;
  RetryingObjectStore retrying(objects, {}, *clock, *random);
  MR_ASSIGN_OR_RETURN(const std::string identity, Ownership(*metadata).Identity());
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(*metadata).Held());
  MR_ASSIGN_OR_RETURN(const bool same, HoldsClaim(retrying, {layout.key_prefix, identity}, held));
  if (!same) return elsewhere;
  if (options.read_only) return {};
  return HomeCatalog(*metadata).SetHome(options.object_store);
}

/// A new log where there is one already would be told at first contact only. A store that cannot be reached is none of
/// its concerns yet.
Result<void> Components::CheckVacant(const EngineOptions& options, const DataLayout& layout) {
  if (options.read_only) return {};
  const RequestScope scope({.deadline = DeadlineAfter(clock->Monotonic(), std::chrono::seconds(2)), .stop = {}});
  RetryingObjectStore retrying(objects, {.attempts_max = 2}, *clock, *random);
  const auto log = ReadLogText(retrying, layout.key_prefix);
  if (!log) return {};
  const std::string by = log->host.empty() ? "" : fmt::format(", made by {} at {}", log->host, TimeText(log->made_ms));
  return Error(ErrorCode::kAlreadyExists,
               fmt::format("there is a log at {} already: {}{}", objects->Describe(), log->identity, by),
               fmt::format("to go on with it here: `millrace store restore {} --data-dir {}`; for a new log name "
                           "another prefix",
                           home, layout.root.string()));
}

}  // namespace millrace
