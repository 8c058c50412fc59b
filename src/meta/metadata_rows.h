// What every metadata store and every rule checks and says alike, so that callers cannot tell one store from another by
// its errors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "meta/table_spec.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A segment to make visible. It must begin at the partition's tiered_end, and the epoch must be the partition's.
struct SegmentCommit {
  SegmentRow segment;
  LeaderEpoch epoch;
};

/// Lower-case hexadecimal digits.
std::string ObjectIdText(const ObjectId& id);
/// "topic 7 partition 2".
std::string PartitionText(const PartitionKey& partition);

Error TopicNotFound(TopicId topic);
Error PartitionNotFound(const PartitionKey& partition);
Error ObjectNotPrepared(const ObjectId& id, std::string_view why);
/// Whether writing a row of this key is a change that the store numbers.
[[nodiscard]] bool IsNumbered(const MetadataKey& key);
/// kInvalidArgument: `call` of a store takes no such key.
Error KeyNotTaken(std::string_view call, const MetadataKey& key);

/// Both of one order; only `to` may be the end. kInvalidArgument.
Result<void> CheckScan(const MetadataKey& from, const MetadataKey& to);
/// kOutOfRange unless all changes behind `after` are kept: `first` to `last` are.
Result<void> CheckChangesAfter(ChangeNumber after, ChangeNumber first, ChangeNumber last);
/// The changes of a commit that lie behind `after`, until there are `max`. kCorruption.
Result<void> AppendChanges(const CommitRow& commit, ChangeNumber after, std::size_t max,
                           std::vector<MetadataChange>& to);

/// kInvalidArgument: no partition, fewer than `present` partitions, negative retention.
Result<void> CheckTopicOptions(const TopicOptions& options, std::int32_t present);
/// Nothing but gaps: such a commit has no object.
bool OnlyGaps(std::span<const SegmentCommit> segments);
/// What a commit must satisfy whatever is stored: something to commit, each segment of this object, inside it, not
/// empty, or a gap. kInvalidArgument.
Result<void> CheckCommit(const ObjectRow& object, std::span<const SegmentCommit> segments);
/// kFenced unless `epoch` is the partition's.
Result<void> CheckEpoch(const PartitionRow& partition, LeaderEpoch epoch);
/// Epoch and expected base against the partition as it is (kFenced, kOutOfRange with bounds), then the partition as the
/// commit leaves it.
Result<PartitionRow> ApplyCommit(const PartitionRow& partition, const SegmentCommit& commit);
/// The partition with log_start moved up to `log_start`, and tiered_end with it if overtaken.
PartitionRow ApplyLogStart(const PartitionRow& partition, Offset log_start);
/// Whether `segments` (found from `from` on, at most `max`) are all there should be: they begin at or below
/// max(from, log_start), follow each other without a gap, and reach tiered_end unless `max` cut them. kCorruption.
Result<void> CheckSegments(const PartitionRow& partition, Offset from, std::size_t max,
                           std::span<const SegmentRow> segments);

}  // namespace millrace
