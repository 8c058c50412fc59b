// One random id kept in the data directory, in metadata and in the object store, so that none of the three is ever used
// with another's rest. A place that holds data and no id, or another id, has been lost or mixed up: nothing is opened
// over it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "env/random.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "store/forwarding_object_store.h"
#include "tier/store_claim.h"

namespace millrace {

struct DataLayout;

/// Data directory and metadata agree when this returns; the identity. `home`: where a new log's objects will be,
/// remembered in the same transaction; "": not known by a URL. Errors: kInvalidArgument (they belong to two logs),
/// kCorruption (one of them is lost), both naming the remedy; kUnsupported (newer version).
Result<std::string> EstablishIdentity(FileSystem& file_system, const DataLayout& layout, MetadataStore& metadata,
                                      Random& random, std::string_view home);

/// An object store that is asked who it is before the first request that reads goes through, and claimed before the
/// first that writes: at first contact, so that an engine opens while its store cannot be reached. A request that comes
/// meanwhile waits for that answer, within its own limits (RequestScope). Safe from any thread.
class ClaimedObjectStore final : public ForwardingObjectStore {
 public:
  /// `claim` outlives the store, and speaks to `inner` itself.
  ClaimedObjectStore(std::shared_ptr<ObjectStore> inner, StoreClaim& claim)
      : ForwardingObjectStore(std::move(inner)), claim_(claim) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<void> Delete(std::string_view key) override;
  Result<void> DeleteMany(std::span<const std::string> keys) override;

 private:
  Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request) override;

  StoreClaim& claim_;
};

}  // namespace millrace
