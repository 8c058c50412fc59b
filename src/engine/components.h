// The machine under an engine: what the options hand in, or the real thing they name.
#pragma once

#include <memory>

#include "engine/data_layout.h"
#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "store/abandoning_object_store.h"

namespace millrace {

struct Components {
  std::shared_ptr<Clock> clock;
  std::shared_ptr<FileSystem> file_system;
  std::shared_ptr<Random> random;
  std::shared_ptr<ObjectStore> objects;
  std::shared_ptr<AbandoningObjectStore> brought;  // the same, where a program brought it along and there are threads
  std::shared_ptr<MetadataStore> metadata;
  bool objects_are_near = false;  // a local directory or memory: what no segment refers to may go at once

  /// Clock, file system and randomness; no I/O.
  static Components Machine(const EngineOptions& options);
  /// The URLs, checked without I/O. kInvalidArgument, kUnsupported.
  static Result<void> CheckUrls(const EngineOptions& options);
  /// Metadata and object store, created if need be.
  Result<void> OpenStores(const EngineOptions& options, const DataLayout& layout);
};

}  // namespace millrace
