// The rows of a log that is followed, in a metadata store of the follower's own, while it is read.
//
//   (starts move) ─► Write ─► (ends move, topics come and go) ─► Tidy
//
// So there is a row of all that a reader may be at, at every moment: nobody reads below a start that has moved, or past
// an end that has not.
#pragma once

#include <optional>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "tier/followed_catalog.h"

namespace millrace {

/// What changed of a partition.
struct FollowedChange {
  PartitionRow row;
  bool replaced = false;          // rows that were there have gone or changed
  std::vector<SegmentRow> added;  // otherwise: these came behind them, in their order
};

/// Not thread-safe. `rows` outlives it, and nobody else writes there.
class FollowedRows {
 public:
  explicit FollowedRows(MetadataStore& rows) : rows_(rows) {}

  /// Puts what is new. A partition that would end before it did is left as it is: an end that was shown is not taken
  /// back. Errors: those of the store.
  Result<std::vector<FollowedChange>> Write(const FollowedNews& news);
  /// Why the last Write left partitions as they were, if it did.
  [[nodiscard]] const std::optional<Error>& shrunk() const { return shrunk_; }
  /// Removes what is not in `news`, if they are afresh.
  Result<void> Tidy(const FollowedNews& news);

 private:
  Result<void> Commit(std::vector<MetadataWrite> writes);
  Result<void> WriteTopics(const FollowedNews& news);
  Result<std::optional<FollowedChange>> WritePartition(const FollowedPartition& partition, const FollowedNews& news);
  Result<std::optional<PartitionRow>> Present(const PartitionKey& key);

  MetadataStore& rows_;
  std::optional<Error> shrunk_;
  std::vector<MetadataWrite> new_partitions_;
};

}  // namespace millrace
