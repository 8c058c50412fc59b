// Whose the store is, and who owns a partition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "meta/topic_rules.h"
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
  /// Succeeds once, or with the same id; kAlreadyExists otherwise. `home`: where the log's objects are (HomeCatalog),
  /// remembered in the same transaction; "": nothing is.
  Result<void> SetIdentity(std::string_view identity, std::string_view home = "") const;
  /// Raises the epoch by one and returns the row; the owner by the old epoch is fenced from now on. kNotFound.
  Result<PartitionRow> AcquireEpoch(const PartitionKey& partition) const;
  /// The number of a block that nobody else has or gets; `by` is random. kOutOfSpace: they are used up.
  Result<std::int64_t> TakeProducerBlock(std::string_view by) const;
  /// Where epochs began, of all partitions, by partition and epoch.
  Result<std::vector<EpochRow>> Epochs() const;
  /// Raises the epochs of all `grounds` (RaiseEpochRule), which then are as they stand in metadata; all or none.
  /// kNotFound: a partition is gone. Cost: one transaction, three look-ups and writes a partition.
  Result<void> RaiseEpochs(std::vector<EpochGround>& grounds) const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
