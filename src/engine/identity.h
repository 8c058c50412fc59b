// One random id kept in the data directory, in metadata and in the object store, so that none of the three is ever used
// with another's rest. A place that holds data and no id, or another id, has been lost or mixed up: nothing is opened
// over it.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/shared_call.h"
#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "store/forwarding_object_store.h"

namespace millrace {

struct DataLayout;

/// Data directory and metadata agree when this returns; the identity. Errors: kCorruption (names both and the remedy),
/// kUnsupported (newer version).
Result<std::string> EstablishIdentity(FileSystem& file_system, const DataLayout& layout, MetadataStore& metadata,
                                      Random& random);

/// An object store that is asked who it is before the first other request goes through: at first contact, so that an
/// engine opens while its store cannot be reached. A request that comes while it is being asked waits for that answer,
/// within its own limits (RequestScope). Safe from any thread.
class IdentityCheckedObjectStore final : public ForwardingObjectStore {
 public:
  /// `metadata` says whether the store must hold data; it and `clock` outlive the store.
  IdentityCheckedObjectStore(std::shared_ptr<ObjectStore> inner, MetadataStore& metadata, std::string identity,
                             const std::string& key_prefix, const Clock& clock)
      : ForwardingObjectStore(std::move(inner)),
        metadata_(metadata),
        identity_(std::move(identity)),
        key_(key_prefix + "identity"),
        asking_(clock) {}

  /// kInvalidArgument: the store is another log's, or was lost. Otherwise the error of asking; the next request asks
  /// again.
  Result<void> Check();

 private:
  Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request) override;
  Result<void> Ask();

  MetadataStore& metadata_;
  const std::string identity_, key_;
  std::atomic<bool> known_{false};
  SharedCall<void> asking_;
};

}  // namespace millrace
