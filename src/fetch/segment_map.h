// Which segment holds an offset: one partition's segments in memory, at most 48 bytes each, loaded from metadata when
// first asked and fed by our own commits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. Lookups of a loaded map do no I/O; a caller waits for another's load within the limits of its
/// own RequestScope.
class SegmentMap {
 public:
  SegmentMap(MetadataStore& metadata, const PartitionKey& partition, Clock& clock);
  ~SegmentMap();

  /// The segment with base <= offset < end, or the next one above over a gap; none past the last. Loads the map first
  /// if need be.
  Result<std::optional<SegmentRow>> Find(Offset offset);
  /// The first segment, no gap, that ends above `from` and whose timestamp_max_ms is at or past `timestamp_ms`.
  Result<std::optional<SegmentRow>> FindByTime(std::int64_t timestamp_ms, Offset from = Offset(0));
  /// Asks metadata for what has come since, for a reader that misses a segment which should be there.
  Result<void> Refresh();
  /// Where a segment's object lies in the object store. One metadata query; kNotFound if it is gone.
  Result<std::string> ObjectKey(const ObjectId& object);
  /// After our own commit. Before the map is loaded metadata has it; while it is being loaded, metadata is asked again.
  void Add(const SegmentRow& segment);
  /// Rows that it may hold were replaced in metadata: the next lookup loads them anew.
  void Forget();
  /// After log_start moved: segments wholly below are dropped.
  void DropBelow(Offset log_start);
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
