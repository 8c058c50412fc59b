#include "tier/forget_consumed.h"

#include <algorithm>

#include "base/try.h"
#include "tier/tiered_partition.h"

namespace millrace {

Result<bool> ForgetConsumed(TieredPartition& partition, MetadataStore& metadata, Clock& clock) {
  const auto consumed = partition.consumed_until();
  if (!consumed) return false;
  PartitionLog& log = partition.log();
  const PartitionOffsets offsets = log.offsets();
  const Offset until = std::min(*consumed, offsets.durable_end);
  if (until <= offsets.log_start) return false;
  MR_ASSIGN_OR_RETURN(const PartitionRow row, metadata.AdvanceLogStart(log.key(), log.epoch(), until, clock.WallMs()));
  partition.OnRow(row);
  return true;
}

}  // namespace millrace
