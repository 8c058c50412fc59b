// Groups of Kafka's as they are kept: the last durable generation of each, beside their positions.
#pragma once

#include <span>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A group, and all its members in the order of their joining.
struct StoredGroup {
  GroupRow row;
  std::vector<GroupMemberRow> members;
  friend bool operator==(const StoredGroup&, const StoredGroup&) = default;
};

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store, beside its own.
class GroupCatalog {
 public:
  explicit GroupCatalog(MetadataStore& store) : store_(store) {}

  /// Positions and groups in one transaction. Of several positions of one group and partition, and of several groups of
  /// one name, the last stands; members that a group has no more are gone. kNotFound: there is no such partition, and
  /// nothing happened.
  Result<void> Store(std::span<const PositionRow> positions, std::span<const StoredGroup> groups) const;
  /// By name.
  Result<std::vector<StoredGroup>> Groups() const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
