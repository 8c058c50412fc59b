#include "tier/log_start.h"

#include "base/check.h"
#include "meta/segment_catalog.h"
#include "tier/segment_commit.h"
#include "tier/tiered_partition.h"

namespace millrace {

Result<PartitionRow> AdvanceLogStart(TieredPartition& partition, MetadataStore& metadata, Offset log_start,
                                     std::int64_t now_ms) {
  const PartitionLog& log = partition.log();
  auto row = SegmentCatalog(metadata).AdvanceLogStart(log.key(), log.epoch(), log_start, now_ms);
  if (!row && !CommitIsKnown(row.error()))
    row = SegmentCatalog(metadata).AdvanceLogStart(log.key(), log.epoch(), log_start, now_ms);
  if (row) {
    MR_DCHECK(row->key == log.key() && row->log_start >= log_start, row->log_start.value(), log_start.value());
    partition.OnRow(*row);
    MR_DCHECK(log.offsets().log_start >= log_start, log.offsets().log_start.value(), log_start.value());
  }
  return row;
}

}  // namespace millrace
