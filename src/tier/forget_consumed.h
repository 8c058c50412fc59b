// Cleanup::kConsumed: what every cursor and every group of a partition has durably passed is forgotten, wherever it
// lies.
#pragma once

#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class GroupsPassed;
class TieredPartition;

/// Moves log_start to where the partition says it is consumed, by its cursors and by `groups`, and not past what is
/// durable; true if it moved. Cost: nothing, or one metadata transaction.
Result<bool> ForgetConsumed(TieredPartition& partition, const GroupsPassed& groups, MetadataStore& metadata,
                            Clock& clock);

}  // namespace millrace
