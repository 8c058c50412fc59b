// Whose the store is, and who owns a partition.
#pragma once

#include <string>
#include <string_view>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store, beside its own.
class Ownership {
 public:
  explicit Ownership(MetadataStore& store) : store_(store) {}

  /// One random id kept here, in the data directory and in the object store; "" until set.
  Result<std::string> Identity() const;
  /// Succeeds once, or with the same id; kAlreadyExists otherwise.
  Result<void> SetIdentity(std::string_view identity) const;
  /// Raises the epoch by one and returns the row; the owner by the old epoch is fenced from now on. kNotFound.
  Result<PartitionRow> AcquireEpoch(const PartitionKey& partition) const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
