#include "engine/directory_takeover.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "engine/closed_log.h"
#include "engine/components.h"
#include "engine/data_layout.h"
#include "engine/engine_marker.h"
#include "meta/home_catalog.h"
#include "meta/open_metadata_store.h"
#include "tier/store_claim.h"

namespace millrace {

Result<bool> TakeOverDirectory(EngineOptions options) {
  MR_TRY(Components::CheckUrls(options));
  MR_TRY(DataLayout::MakeAbsolute(options));
  const DataLayout layout = DataLayout::Of(options);
  const Components machine = Components::Machine(options);
  FileSystem& files = *machine.file_system;
  MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(files, layout.marker));
  if (!marked) return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", layout.root.string()));
  auto lock = files.Lock(layout.lock, "a takeover");
  if (!lock) return lock.error().WithContext("cannot open " + layout.root.string());
  std::shared_ptr<MetadataStore> metadata = options.metadata;
  if (!metadata) {
    MR_ASSIGN_OR_RETURN(metadata, OpenMetadataStore(options.metadata_store, layout.root, files, machine.clock.get()));
  }
  const HomeCatalog home(*metadata);
  MR_ASSIGN_OR_RETURN(const auto fence, home.Fenced());
  if (fence)
    return Error(ErrorCode::kFenced, fence->why, "what it lacks is in the object store: `millrace store restore`");
  MR_ASSIGN_OR_RETURN(const std::string recorded, home.Marker());
  MR_ASSIGN_OR_RETURN(const std::string mark, files.FileMark(layout.marker));
  const bool copied = !recorded.empty() && recorded != mark;
  if (copied) MR_TRY(home.SetMarker(mark));
  if (!options.metadata) MR_TRY(metadata->Close());
  return copied;
}

Result<AdoptReport> AdoptDirectory(EngineOptions options, AdoptScope scope, AdoptMode mode) {
  using enum ClosedLog::Access;
  AdoptReport report;
  {
    EngineOptions as_it_was = options;
    as_it_was.object_store.clear();
    MR_ASSIGN_OR_RETURN(const auto log, ClosedLog::Open(std::move(as_it_was), kLook, "a look at it"));
    report.home = log->components().home;
    MR_TRY(log->Close());
  }
  report.was_elsewhere = !options.object_store.empty() && options.object_store != report.home;
  if (report.was_elsewhere) report.home = options.object_store;
  MR_ASSIGN_OR_RETURN(const auto log,
                      ClosedLog::Open(std::move(options), mode == AdoptMode::kLook ? kLook : kChange, "an adoption"));
  if (scope == AdoptScope::kThisDirectory) {
    const HomeCatalog home(log->metadata());
    MR_ASSIGN_OR_RETURN(const auto fence, home.Fenced());
    if (fence)
      return Error(ErrorCode::kFenced, fence->why, "what it lacks is in the object store: `millrace store restore`");
    MR_ASSIGN_OR_RETURN(const std::string recorded, home.Marker());
    MR_ASSIGN_OR_RETURN(const std::string mark, log->components().file_system->FileMark(log->layout().marker));
    report.was_taken_for_copy = !recorded.empty() && recorded != mark;
    MR_ASSIGN_OR_RETURN(const Generation held, home.Held());
    if (report.was_taken_for_copy && held.number > 0 && log->components().objects_are_shared) {
      MR_ASSIGN_OR_RETURN(const bool last,
                          HoldsClaim(*log->objects(), {log->layout().key_prefix, log->identity()}, held));
      if (!last)
        return Error(ErrorCode::kFenced,
                     fmt::format("this is not the original: the log at {} has gone on since", report.home),
                     "the directory that went on is the original; what this one lacks is in the object store: "
                     "`millrace store restore`");
    }
    if (report.was_taken_for_copy && mode == AdoptMode::kChange) MR_TRY(home.SetMarker(mark));
  }
  MR_TRY(log->Close());
  return report;
}

}  // namespace millrace
