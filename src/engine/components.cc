#include "engine/components.h"

#include "base/check.h"
#include "base/try.h"
#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "env/system_random.h"
#include "meta/open_metadata_store.h"
#include "store/open_object_store.h"
#include "store/read_only_object_store.h"

namespace millrace {

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
  if (!options.objects) MR_TRY(ObjectStoreKindOf(options.object_store));
  return {};
}

Result<void> Components::OpenStores(const EngineOptions& options, const DataLayout& layout) {
  metadata = options.metadata;
  if (!metadata) {
    MR_ASSIGN_OR_RETURN(metadata, OpenMetadataStore(options.metadata_store, layout.root, *file_system, clock.get()));
  }
  objects = options.objects;
  if (!objects) {
    MR_ASSIGN_OR_RETURN(objects, OpenObjectStore(options.object_store, layout.root, *file_system, *clock, *random));
    MR_ASSIGN_OR_RETURN(const ObjectStoreKind kind, ObjectStoreKindOf(options.object_store));
    objects_are_near = kind != ObjectStoreKind::kS3;
  }
  MR_CHECK(metadata && objects && file_system && clock && random);
  if (options.read_only) objects = std::make_shared<ReadOnlyObjectStore>(std::move(objects));
  return {};
}

}  // namespace millrace
