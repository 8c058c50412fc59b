// The object store at a URL, looked at without a log's directory: for verbs that tell what lies in a bucket.
#pragma once

#include <memory>
#include <string>

#include "engine/components.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

/// Retries as an engine's store does.
struct StoreAtUrl {
  std::string key_prefix;  // of the log of this name space
  Components machine;      // the store's clock, files and random numbers
  std::unique_ptr<ObjectStore> objects;
};

/// kInvalidArgument: not a URL of a place that exists by itself. Sends nothing.
Result<StoreAtUrl> OpenStoreAtUrl(const std::string& url, const std::string& name_space);

}  // namespace millrace
