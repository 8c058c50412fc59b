// What the steps of this room need of a partition; the engine's partition is one. Lives until every step has ended.
#pragma once

#include <functional>
#include <optional>

#include "log/partition_log.h"
#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "tier/upload_lane.h"

namespace millrace {

/// Safe from any thread.
class TieredPartition {
 public:
  virtual ~TieredPartition() = default;
  virtual PartitionLog& log() = 0;
  virtual UploadLane& lane() = 0;
  [[nodiscard]] virtual TopicOptions options() const = 0;
  /// Under Cleanup::kConsumed: every cursor has durably passed this. None: everything is kept.
  [[nodiscard]] virtual std::optional<Offset> consumed_until() const { return {}; }
  /// A segment became visible in metadata. Comes before the tiered_end that includes it.
  virtual void OnSegment(const SegmentRow& segment) = 0;
  /// Metadata moved log_start or tiered_end: log, segment map and upload schedule hear of it. Rows may come late and
  /// out of order; bounds never fall by one.
  virtual void OnRow(const PartitionRow& row) = 0;
};

/// All partitions of an engine.
class TieredPartitions {
 public:
  virtual ~TieredPartitions() = default;
  /// Those that exist now, in the order of their making.
  virtual void ForEach(const std::function<void(TieredPartition&)>& visit) = 0;
};

}  // namespace millrace
