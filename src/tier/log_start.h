// Moving log_start when the answer may get lost: the call is repeated, since a second one says how the first ended.
#pragma once

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class TieredPartition;

/// Success: log_start is at `log_start` or past it, here and in metadata. An error for which CommitIsKnown holds:
/// nothing moved; any other: the outcome is unknown, and repeating the call will tell it.
Result<PartitionRow> AdvanceLogStart(TieredPartition& partition, MetadataStore& metadata, Offset log_start,
                                     std::int64_t now_ms);

}  // namespace millrace
