#include "engine/closed_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "engine/engine_marker.h"
#include "engine/option_check.h"
#include "env/overlay_file_system.h"
#include "meta/ownership.h"
#include "store/retrying_object_store.h"

namespace millrace {

Result<std::unique_ptr<ClosedLog>> ClosedLog::Open(EngineOptions options, Access access, std::string_view what) {
  // Rows that are not in a file are not opened for reading: nothing writes to them all the same.
  options.read_only = access == Access::kLook && !options.metadata && options.metadata_store != "memory:";
  options.create_if_missing = false;
  MR_TRY(CheckEngineOptions(options));
  MR_TRY(Components::CheckUrls(options));
  MR_TRY(DataLayout::MakeAbsolute(options));
  DataLayout layout = DataLayout::Of(options);
  std::unique_ptr<ClosedLog> log(new ClosedLog(std::move(options), std::move(layout)));
  Components& components = log->components_;
  components = Components::Machine(log->options_);
  FileSystem& files = *components.file_system;
  const std::string& root = log->layout_.root.native();
  MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(files, log->layout_.marker));
  if (!marked) return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", root));
  auto lock = access == Access::kLook ? files.LockShared(log->layout_.lock) : files.Lock(log->layout_.lock, what);
  if (!lock)
    return lock.error()
        .WithContext(fmt::format("cannot open {} for {}", root, what))
        .WithHint(access == Access::kLook
                      ? "stop that process, or name the object store by its URL to look at the store alone"
                      : "one process holds a directory: stop that one, do this, and start it again");
  log->lock_ = *std::move(lock);
  if (access == Access::kLook) components.file_system = std::make_shared<OverlayFileSystem>(components.file_system);
  MR_TRY(components.OpenStores(log->options_, log->layout_));
  MR_ASSIGN_OR_RETURN(log->identity_, Ownership(*components.metadata).Identity());
  if (log->identity_ != *marked)
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} and its metadata do not belong together", root),
                 "point data_dir and metadata_store at what belongs together");
  log->objects_ =
      std::make_shared<RetryingObjectStore>(components.objects, RetryOptions{}, *components.clock, *components.random);
  return log;
}

Result<void> ClosedLog::Close() { return options_.metadata ? Result<void>() : components_.metadata->Close(); }

}  // namespace millrace
