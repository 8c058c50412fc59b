// Where a group stands in each partition: the seam between the consumers and what keeps their positions.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "read/partition_source.h"

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
  /// All positions of `group`, in partition order; none if none was ever set. A damaged row is kCorruption.
  virtual Result<std::vector<PartitionPosition>> Load(std::string_view group) = 0;
  /// Durable when this returns; all or nothing. An error means that it did not happen, as far as the store can tell.
  virtual Result<void> Store(std::string_view group, std::span<const PartitionPosition> positions) = 0;
  /// Success also if there was none.
  virtual Result<void> Remove(std::string_view group) = 0;
  /// The position that lay beyond the end of what was recovered, if it had to be moved back.
  [[nodiscard]] virtual std::optional<Offset> CorrectedFrom(std::string_view /*group*/,
                                                            const PartitionKey& /*partition*/) const {
    return {};
  }
};

/// Positions as rows of the metadata store.
///
///   Store, Store, Store ─► waiting ─► (a caller leads) one transaction with all that wait ─► all return
class MetadataPositionStore final : public PositionStore {
 public:
  explicit MetadataPositionStore(MetadataStore& metadata, OnCorrected on_corrected = {})
      : metadata_(metadata), on_corrected_(std::move(on_corrected)) {}

  /// After recovery, before the first read or append: no position is past the end of what was recovered, because those
  /// offsets will be given again, to other records. `end_of`: a partition's name and end; none: of one that could not
  /// be recovered, or is gone. An error means that one may still be there: nothing may be appended then. What is
  /// damaged stays, and the caller that opens that group is told.
  Result<void> HoldTo(
      const std::function<std::optional<std::pair<TopicPartition, Offset>>(const PartitionKey&)>& end_of);

  Result<std::vector<PartitionPosition>> Load(std::string_view group) override;
  Result<void> Store(std::string_view group, std::span<const PartitionPosition> positions) override;
  Result<void> Remove(std::string_view group) override;
  [[nodiscard]] std::optional<Offset> CorrectedFrom(std::string_view group,
                                                    const PartitionKey& partition) const override;
  /// Positions that HoldTo moved.
  [[nodiscard]] std::uint64_t corrected() const { return corrected_.load(std::memory_order_relaxed); }

  /// Commits that wait for their transaction.
  [[nodiscard]] std::size_t waiting() const {
    MutexLock lock(mutex_);
    return waiting_.size();
  }

 private:
  struct Waiting {
    std::vector<PositionRow> rows;
    bool done = false;
    Result<void> result;
  };
  void Lead() noexcept MR_REQUIRES(mutex_);
  void StoreTogether(const std::vector<Waiting*>& waiting);
  Result<void> StoreRows(std::span<const PositionRow> rows);

  MetadataStore& metadata_;
  const OnCorrected on_corrected_;
  std::atomic<std::uint64_t> corrected_{0};

  mutable Mutex mutex_;
  CondVar led_;
  bool leading_ MR_GUARDED_BY(mutex_) = false;
  std::vector<Waiting*> waiting_ MR_GUARDED_BY(mutex_);  // in the order they came
  std::map<PositionKey, Offset> corrected_from_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
