// Positions of consumer groups: the next offset a group reads of a partition.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "meta/transition.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// `topics`: those of the positions' partitions that are there, by id. kNotFound: a partition is not.
Result<Transition> CommitPositionsRule(std::span<const TopicRow> topics, std::span<const PositionRow> positions);

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store, beside its own.
class CommittedOffsets {
 public:
  explicit CommittedOffsets(MetadataStore& store) : store_(store) {}

  /// All or nothing; of several positions of one group and partition the last stands. kNotFound: no such partition.
  Result<void> CommitPositions(std::span<const PositionRow> positions) const;
  /// In partition order.
  Result<std::vector<PositionRow>> Positions(std::string_view group) const;
  /// Those with a position, by name. Cost: O(positions of all groups).
  Result<std::vector<std::string>> Groups() const;
  /// Success also if there was none.
  Result<void> DeleteGroup(std::string_view group) const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
