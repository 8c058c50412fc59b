// A log that no engine holds: its directory's lock, its metadata and its object store, for those who look at it or move
// it as a whole. Nothing is recovered and no thread runs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/components.h"
#include "engine/data_layout.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

class ClosedLog {
 public:
  /// kLook shares the directory with others who look, and changes nothing.
  enum class Access { kLook, kChange };
  /// `what` is done with it: "a move", as others are told who find it held, and as errors name it. Errors: kNotFound
  /// (no log), kUnavailable (a process holds the directory; the message names it), those of metadata and of the store's
  /// URL.
  static Result<std::unique_ptr<ClosedLog>> Open(EngineOptions options, Access access, std::string_view what);
  /// Whoever does not call it loses nothing but the error.
  Result<void> Close();

  [[nodiscard]] const EngineOptions& options() const { return options_; }
  [[nodiscard]] const DataLayout& layout() const { return layout_; }
  [[nodiscard]] const Components& components() const { return components_; }
  [[nodiscard]] MetadataStore& metadata() const { return *components_.metadata; }
  /// At home; repeats what may be repeated.
  [[nodiscard]] const std::shared_ptr<ObjectStore>& objects() const { return objects_; }
  [[nodiscard]] const std::string& identity() const { return identity_; }

 private:
  ClosedLog(EngineOptions options, DataLayout layout) : options_(std::move(options)), layout_(std::move(layout)) {}
  EngineOptions options_;
  const DataLayout layout_;
  Components components_;
  std::unique_ptr<FileLock> lock_;
  std::shared_ptr<ObjectStore> objects_;
  std::string identity_;
};

}  // namespace millrace
