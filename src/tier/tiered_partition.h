// What the steps of this room need of a partition; the engine's partition is one. Lives until every step has ended.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "log/partition_log.h"
#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "tier/partition_upload.h"

namespace millrace {

/// What visible segments hold, by the newest row of metadata that came by.
struct SegmentTotals {
  std::uint64_t segments = 0, bytes = 0;
};

/// Safe from any thread.
class TieredPartition {
 public:
  virtual ~TieredPartition() = default;
  virtual PartitionLog& log() = 0;
  virtual PartitionUpload& upload() = 0;
  [[nodiscard]] virtual TopicOptions options() const = 0;
  [[nodiscard]] virtual SegmentTotals totals() const = 0;
  /// Under Cleanup::kConsumed: calls `forget` with what every cursor, and every group by `groups_passed`, has durably
  /// passed, and returns what it returns; until then no cursor goes back below. False: everything is kept.
  virtual Result<bool> ForgetConsumed(std::optional<Offset> /*groups_passed*/,
                                      const std::function<Result<bool>(Offset until)>& /*forget*/) {
    return false;
  }
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
