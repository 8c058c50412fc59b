// Object store and metadata store as one process sees them: when the process dies, nothing it still tries takes effect.
// Whatever it did is watched: keys are never used twice, nothing referred to is deleted, watermarks only grow.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "report.h"

namespace millrace::sim {

/// What outlives processes: the stores themselves and what was seen of them.
struct SharedTruth {
  std::shared_ptr<ObjectStore> objects;
  std::shared_ptr<MetadataStore> metadata;
  std::string key_prefix;
  std::chrono::milliseconds delete_grace{0};
  std::map<std::string, std::uint64_t, std::less<>> keys_ever_put;  // with the fingerprint of what was put
  std::map<PartitionKey, Offset> tiered_end, log_start;             // the highest ever seen
  const Clock* clock = nullptr;  // graces are judged by it; none: they are not judged
  /// The furthest that wall time was ever ahead of monotonic time, without what no engine believes.
  std::optional<std::chrono::nanoseconds> lead_max;

  /// An owner of an older epoch may not move the rows of a newer owner.
  [[nodiscard]] std::optional<PartitionRow> RowOf(const PartitionKey& partition) const;
  /// Before and after every jump of wall time.
  void NoteLead();
  /// The latest time that an engine can trust: an engine that starts believes a wall clock that jumped forward before.
  [[nodiscard]] std::chrono::milliseconds LatestTrusted();
  /// Does a visible segment lie in the object?
  [[nodiscard]] bool Refers(std::string_view key) const;
};

struct ProcessLife {
  bool alive = true;    // until the process dies
  bool fenced = false;  // others own its partitions: it may not move their rows
};

std::shared_ptr<ObjectStore> ObjectsOfProcess(std::shared_ptr<ObjectStore> faulty, SharedTruth& truth,
                                              std::shared_ptr<const ProcessLife> life, Report& report);
std::shared_ptr<MetadataStore> MetadataOfProcess(std::shared_ptr<MetadataStore> faulty, SharedTruth& truth,
                                                 std::shared_ptr<const ProcessLife> life, Report& report);

}  // namespace millrace::sim
