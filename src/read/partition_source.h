// What consumers and cursors need of a partition; the engine's partition is one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

/// Hears of a stored position that lay outside the log and had to be moved into it: one sentence.
using OnCorrected = std::function<void(const TopicPartition& partition, const std::string& what)>;

/// Safe from any thread. Outlives its consumers and cursors.
class PartitionSource {
 public:
  virtual ~PartitionSource() = default;
  [[nodiscard]] virtual const PartitionKey& key() const = 0;
  [[nodiscard]] virtual const TopicPartition& name() const = 0;
  /// log_start and visible end.
  [[nodiscard]] virtual OffsetBounds bounds() const = 0;
  virtual Result<ReadResult> Read(Offset begin, const ReadLimits& limits) = 0;
  /// Whole batches from the one containing `begin`, each verified; as PartitionReader::ReadBatches.
  virtual Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits& limits) = 0;
  virtual Result<Offset> OffsetForTime(std::int64_t timestamp_ms) = 0;
  /// Whether a read from `begin` may have to wait for the object store.
  [[nodiscard]] virtual bool MayWait(Offset /*begin*/) const { return false; }
  /// The caller, whose last read ended at `next`, goes on somewhere else, or not at all.
  virtual void Abandon(Offset /*next*/) {}
  /// Calls `wake` once when the visible end is past `offset` (inline if it is so already), or when the partition ends.
  /// `wake` must not block. The ticket is for CancelWaiter; `wake` may still run while that returns.
  virtual std::uint64_t AddWaiter(Offset offset, std::move_only_function<void()> wake) = 0;
  virtual void CancelWaiter(std::uint64_t ticket) = 0;
};

}  // namespace millrace
