// Objects, the segments in them, and where a partition's log starts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "meta/segment_rules.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store, beside its own.
class SegmentCatalog {
 public:
  explicit SegmentCatalog(MetadataStore& store) : store_(store) {}

  /// Moves log_start (and tiered_end, if log_start passes it) up to `log_start`; never down. Segments wholly below
  /// disappear; objects left with none become kDeleting. kFenced, kNotFound. Over many segments it may go in several
  /// transactions, each of which moves log_start over some of them.
  Result<PartitionRow> AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                       std::int64_t now_ms) const;

  // Two-step publication: prepare, put the object, commit. Prepare is idempotent by id.
  Result<void> PrepareObject(const ObjectRow& object) const;
  /// All or nothing: every epoch and expected base is checked (kFenced, kOutOfRange with bounds), rows inserted,
  /// tiered_end moved. Idempotent: a second commit of the same object id returns the first one's result. The rows
  /// returned are the partitions' new ones, in the order given. kNotFound if the object was not prepared. Gaps may lie
  /// among the segments; a commit of gaps alone names no object (all zeros), which then need not be prepared.
  /// Cost: one look-up of k + 1 rows and one transaction for k partitions.
  Result<std::vector<PartitionRow>> CommitSegments(const ObjectRow& object,
                                                   std::span<const SegmentCommit> segments) const;
  // Two-step deletion: kCommitted → kDeleting (by the calls above), then, after the grace, the object is deleted in the
  // store and forgotten here.
  /// Oldest change first. A look for those in kDeleting moves on what an interrupted deletion of a topic left.
  Result<std::vector<ObjectRow>> ObjectsIn(ObjectState state, std::int64_t changed_before_ms, std::size_t max) const;
  /// Prepared and never committed: becomes kDeleting, so that a late commit fails. kAlreadyExists if it was committed
  /// meanwhile.
  Result<void> AbandonObject(const ObjectId& id, std::int64_t now_ms) const;
  /// Forgets a kDeleting object; re-checks in the same transaction that no segment refers to it (kInternal if one
  /// does).
  Result<void> ForgetObject(const ObjectId& id) const;
  Result<std::optional<ObjectRow>> FindObject(const ObjectId& id) const;

  /// Segments with end > `from`, by base, at most `max`; contiguous from the first one on, or kCorruption.
  Result<std::vector<SegmentRow>> Segments(const PartitionKey& partition, Offset from, std::size_t max) const;

 private:
  Result<PartitionRow> AdvanceSome(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                   std::int64_t now_ms) const;
  MetadataStore& store_;
};

}  // namespace millrace
