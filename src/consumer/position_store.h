// Where a group stands in each partition: the seam between who reads and what keeps positions.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

struct PartitionPosition {
  PartitionKey partition;
  Offset position;
  friend bool operator==(const PartitionPosition&, const PartitionPosition&) = default;
};

/// Safe from any thread; calls block.
class PositionStore {
 public:
  virtual ~PositionStore() = default;
  /// All positions of `group`, in partition order; none if nobody ever set one. A damaged row is kCorruption.
  virtual Result<std::vector<PartitionPosition>> Load(std::string_view group) = 0;
  /// Durable when this returns; all or nothing.
  virtual Result<void> Store(std::string_view group, std::span<const PartitionPosition> positions) = 0;
  /// Success also if there was none.
  virtual Result<void> Remove(std::string_view group) = 0;
};

/// Positions as rows of the metadata store.
class MetadataPositionStore final : public PositionStore {
 public:
  explicit MetadataPositionStore(MetadataStore& metadata) : metadata_(metadata) {}
  Result<std::vector<PartitionPosition>> Load(std::string_view group) override;
  Result<void> Store(std::string_view group, std::span<const PartitionPosition> positions) override;
  Result<void> Remove(std::string_view group) override;

 private:
  MetadataStore& metadata_;
};

/// 1 to 249 bytes without control characters. kInvalidArgument.
Result<void> CheckGroupName(std::string_view group);

}  // namespace millrace
