// Cleanup::kConsumed: what every cursor of a partition has durably passed is forgotten, wherever it lies.
#pragma once

#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class TieredPartition;

/// Moves log_start to where the partition says it is consumed, and not past what is durable; true if it moved. Cost:
/// nothing, or one metadata transaction.
Result<bool> ForgetConsumed(TieredPartition& partition, MetadataStore& metadata, Clock& clock);

}  // namespace millrace
