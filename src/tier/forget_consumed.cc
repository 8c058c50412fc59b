#include "tier/forget_consumed.h"

#include <algorithm>

#include "base/try.h"
#include "tier/groups_passed.h"
#include "tier/log_start.h"
#include "tier/tiered_partition.h"

namespace millrace {

Result<bool> ForgetConsumed(TieredPartition& partition, const GroupsPassed& groups, MetadataStore& metadata,
                            Clock& clock) {
  // The bounds move before a cursor may go back again: decided and done as one.
  return partition.ForgetConsumed(groups.Of(partition.log().key()), [&](Offset consumed) -> Result<bool> {
    PartitionLog& log = partition.log();
    const PartitionOffsets offsets = log.offsets();
    const Offset until = std::min(consumed, offsets.durable_end);
    if (until <= offsets.log_start) return false;
    MR_TRY(AdvanceLogStart(partition, metadata, until, clock.WallMs()));
    return true;
  });
}

}  // namespace millrace
