// Positions of consumer groups: the next offset a group reads of a partition.
#pragma once

#include <functional>
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
  /// Calls `visit` with each position of each group, those of topics that are gone among them. Cost: O(positions).
  Result<void> VisitPositions(const std::function<void(const PositionRow&)>& visit) const;
  /// Those with a position, by name. Cost: O(positions of all groups).
  Result<std::vector<std::string>> Groups() const;
  /// Its positions, and what is kept of it for Kafka's members. False: there was nothing.
  Result<bool> DeleteGroup(std::string_view group) const;
  /// Those of `positions` that still stand as they are given.
  Result<void> Forget(std::span<const PositionRow> positions) const;

 private:
  MetadataStore& store_;
};

}  // namespace millrace
