// What every metadata store checks and says alike, so that callers cannot tell one from another by its errors.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Lower-case hexadecimal digits.
std::string ObjectIdText(const ObjectId& id);
/// "topic 7 partition 2".
std::string PartitionText(const PartitionKey& partition);

Error TopicNotFound(TopicId topic);
Error PartitionNotFound(const PartitionKey& partition);
Error ObjectNotPrepared(const ObjectId& id, std::string_view why);

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
